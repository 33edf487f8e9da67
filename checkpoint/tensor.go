package checkpoint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/gguf"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Tensor is one of a model's tensors, quantized or not.
type Tensor struct {
	values    Stored // of a tensor that is not quantized
	dtype     safetensors.DType
	quantized *quantized // nil if it is not
}

// quantized is what a tensor has that is quantized. Others, of which a file may have very many, are what is stored and no more.
type quantized struct {
	name   string
	shape  []int
	scheme Scheme
	parts  []Part
	layout layout // nil if the values cannot be read
	err    error
}

// Scheme says how a tensor is quantized.
type Scheme struct {
	Method string // as Checkpoint.Method; "" if the tensor is not quantized
	Format string // what the method calls the layout: pack-quantized, gptq_v2, nf4, ...
	Bits   int    // of a code
	Rows   int    // of a group, all axes but the last: 1 where each row has groups of its own
	Cols   int    // of a group, along the last axis
}

// String is one line that says it all.
func (s Scheme) String() string {
	if s.Method == "" {
		return "not quantized"
	}
	return fmt.Sprintf("%s %s, %d bits, groups of %dx%d", s.Method, s.Format, s.Bits, s.Rows, s.Cols)
}

// Stored is a tensor as it lies in a file. Its DType is 0 if it is of blocks of a GGUF file.
type Stored struct {
	*safetensors.Info
	File Source
}

// Source is a file that tensors are read from: a *safetensors.File or a *gguf.File.
type Source interface {
	Name() string
	ReadTensor(name string, buf []byte, off int64) error
}

// dims returns the lengths of the axes.
func (s Stored) dims() []int { return s.Shape.Dims() }

// Part is a stored tensor, and what it is to the tensor that it belongs to.
type Part struct {
	Role Role
	Stored
}

// Role is what a stored tensor is to the tensor that it belongs to.
type Role string

// The roles.
const (
	Values      Role = "values"       // of a tensor that is not quantized
	Codes       Role = "codes"        // the quantized elements
	Scale       Role = "scale"        // one per group
	GlobalScale Role = "global scale" // one per tensor, beside Scale
	ZeroPoint   Role = "zero point"   // one per group
	Minval      Role = "minval"       // one per group
	GroupIndex  Role = "group index"  // of each column
	Other       Role = "other"        // its values do not change the tensor's: shapes, tables, scales of activations
)

// Name returns the tensor's name in the plain model.
func (t *Tensor) Name() string {
	if t.quantized == nil {
		return t.values.Name
	}
	return t.quantized.name
}

// Shape returns the tensor's shape in the plain model, outermost axis first. The caller must not change it.
func (t *Tensor) Shape() []int {
	if t.quantized == nil {
		return t.values.dims()
	}
	return t.quantized.shape
}

// Rank returns the number of axes. It takes no memory, of which Shape takes much where the number is absurd.
func (t *Tensor) Rank() int {
	if t.quantized == nil {
		return t.values.Shape.Rank()
	}
	return len(t.quantized.shape)
}

// Scheme says how the tensor is quantized.
func (t *Tensor) Scheme() Scheme {
	if t.quantized == nil {
		return Scheme{}
	}
	return t.quantized.scheme
}

// Quantized tells whether the tensor is quantized.
func (t *Tensor) Quantized() bool { return t.quantized != nil }

// DType returns the element type: of a tensor that is not quantized its own, else the one that its values are given as unless another is
// asked for: the model's (dtype or torch_dtype of config.json), else the scale's if that is F32, F16 or BF16, else BF16.
func (t *Tensor) DType() safetensors.DType { return t.dtype }

// Parts returns the stored tensors that it is made of, its codes or values first. The caller must not change them.
func (t *Tensor) Parts() []Part {
	if t.quantized == nil {
		return []Part{{Values, t.values}}
	}
	return t.quantized.parts
}

// lead is the stored tensor of its codes or values; none if they are missing.
func (t *Tensor) lead() Stored {
	switch {
	case t.quantized == nil:
		return t.values
	case len(t.quantized.parts) == 0:
		return Stored{}
	}
	return t.quantized.parts[0].Stored
}

// Part returns the stored tensor of that role.
func (t *Tensor) Part(role Role) (Stored, bool) {
	for _, p := range t.Parts() {
		if p.Role == role {
			return p.Stored, true
		}
	}
	return Stored{}, false
}

// Err returns what is wrong with a quantized tensor: an error that names the file, the tensor and the reason.
func (t *Tensor) Err() error {
	if t.quantized == nil {
		return nil
	}
	return t.quantized.err
}

// refuse is an error of this tensor.
func (t *Tensor) refuse(format string, args ...any) error {
	file := ""
	if s := t.lead(); s.File != nil {
		file = s.File.Name()
	}
	return refuse(file, t.Name(), format, args...)
}

// Elements returns the number of elements.
func (t *Tensor) Elements() int {
	if t.quantized == nil {
		return t.values.Elements()
	}
	n := 1
	for _, d := range t.quantized.shape {
		n *= d
	}
	return n
}

// RowLen returns the length of a row: the last axis, 1 for a scalar.
func (t *Tensor) RowLen() int {
	n := 1
	if t.quantized == nil {
		for _, n = range t.values.Shape.All() {
		}
	} else if rank := len(t.quantized.shape); rank > 0 {
		n = t.quantized.shape[rank-1]
	}
	return n
}

// Rows returns the number of rows: the product of all axes but the last.
func (t *Tensor) Rows() int {
	n := 1
	if t.quantized == nil {
		last := t.values.Shape.Rank() - 1
		for axis, d := range t.values.Shape.All() {
			if axis < last {
				n *= d
			}
		}
		return n
	}
	shape := t.quantized.shape
	for _, d := range shape[:max(0, len(shape)-1)] {
		n *= d
	}
	return n
}

// layoutOf is how a tensor's values lie in its parts; nil if they cannot be read.
func layoutOf(t *Tensor) layout {
	switch {
	case t.quantized != nil:
		return t.quantized.layout
	case floating(t.dtype) && t.values.Shape.Rank() <= MostAxes: // more are copied as they are
		return plain{}
	}
	return nil
}

// layout is how a tensor's values lie in its parts.
type layout interface {
	// step is the number of rows that are read best at once: a number of rows that is a multiple of it, from a multiple of it on.
	step() int
}

// ReadRows reads len(dst)/t.RowLen() rows from row first on, as elements of type T: computed in float32 as the tensor's library does it,
// and rounded once to T, half to even. It does not allocate memory, apart from buffers that later calls use again. It may be called by
// several goroutines at a time.
//
// GPTQ, AWQ and gpt-oss store columns where a tensor has rows: a single row is a few bytes of each row that is stored. Ask for hundreds at once.
func ReadRows[T kernels.Float](t *Tensor, dst []T, first int) error {
	layout := layoutOf(t)
	switch {
	case t.Err() != nil:
		return t.Err()
	case layout == nil:
		return t.refuse("is %v, want a floating-point type of 16 or 32 bits", t.dtype)
	}
	cols := t.RowLen()
	if cols == 0 || len(dst)%cols != 0 {
		return t.refuse("%d elements are asked for, want whole rows of %d", len(dst), cols)
	}
	rows := len(dst) / cols
	if first < 0 || rows > t.Rows()-first {
		return t.refuse("rows %d to %d are asked for, it has %d", first, first+rows, t.Rows())
	}
	if rows == 0 {
		return nil
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	var err error
	switch l := layout.(type) {
	case plain:
		err = readPlain(t.values, s, dst, first*cols)
	case *grouped:
		err = readGrouped(l, s, dst, first)
	case *gptq:
		err = readGPTQ(l, s, dst, first)
	case *awq:
		err = readAWQ(l, s, dst, first)
	case *transposedMX:
		err = readTransposedMX(l, s, dst, first)
	case *nf4:
		err = readNF4(l, s, dst, first*cols)
	case *int8Rows:
		err = readInt8Rows(l, s, dst, first)
	case *ggufBlocks:
		err = readGGUF(l, s, dst, first)
	case *own:
		err = readOwn(l, s, dst, first*cols)
	}
	if err == nil {
		return nil
	}
	if errors.As(err, new(*safetensors.Error)) || errors.As(err, new(*gguf.Error)) {
		return err
	}
	return t.refuse("%w", err)
}

// plain are values that are not quantized, the tensor's only part.
type plain struct{}

func (plain) step() int { return 1 }

// readPlain reads elements from the one called first on.
func readPlain[T kernels.Float](values Stored, s *scratch, dst []T, first int) error {
	size := values.DType.Bits() / 8
	if sameType[T](values.DType) {
		return read(values, dst, int64(first)*int64(size))
	}
	for len(dst) > 0 {
		n := min(len(dst), pieceLen)
		out := dst[:n]
		wide, isWide := any(out).([]float32)
		if !isWide {
			wide = lend[float32](&s.values, n)
		}
		if err := readWide(values, s, wide, int64(first)*int64(size)); err != nil {
			return err
		}
		if !isWide {
			narrow(out, wide)
		}
		dst, first = dst[n:], first+n
	}
	return nil
}

// readWide reads elements of F32, F16 or BF16 as float32, from a byte on.
func readWide(from Stored, s *scratch, dst []float32, off int64) error {
	switch from.DType {
	case safetensors.F32:
		return read(from, dst, off)
	case safetensors.F16:
		half := lend[float16.Float16](&s.stored, len(dst))
		if err := read(from, half, off); err != nil {
			return err
		}
		kernels.DecodeFloat16(dst, half)
	case safetensors.BF16:
		half := lend[bf16.BFloat16](&s.stored, len(dst))
		if err := read(from, half, off); err != nil {
			return err
		}
		kernels.DecodeBFloat16(dst, half)
	default:
		return fmt.Errorf("is %v, want F32, F16 or BF16", from.DType)
	}
	return nil
}

// floating tells whether elements of that type are read as numbers.
func floating(t safetensors.DType) bool {
	return slices.Contains([]safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16}, t)
}
