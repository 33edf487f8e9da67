package checkpoint

import (
	"errors"
	"iter"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/nonfinite"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// Quantization is the job of quantizing a checkpoint to Lowbit's own layout.
type Quantization struct {
	// Choose says how a tensor of F32, F16 or BF16 is quantized. It returns nil for one that stays as it is.
	Choose func(t *Tensor) *Choice
	Name   string // tells what Choose says

	// NonFinite, unless it is nil, is told of pieces of a tensor in which not all elements are finite: how many are NaN and infinities, and
	// where the first is. Its error ends the work. It is called by several goroutines at a time.
	NonFinite func(t *Tensor, nans, infinities, first int) error

	// Stop, unless it is nil, is asked from time to time whether the work is to end with an error.
	Stop func() error
}

// Choice is how a tensor is quantized.
type Choice struct {
	Spec quant.Spec
	Pack bool // codes of less than a byte are packed

	// Importance has a weight for each position along the last axis, or is nil: the range calculator mse takes it, and no other.
	Importance []float32
}

// record is that of a tensor of that type and shape.
func (c *Choice) record(dtype safetensors.DType, shape safetensors.Shape) Record {
	return Record{Spec: c.Spec, DType: dtype, Shape: shape, Packed: c.Pack && c.Spec.DType.Bits() < 8}
}

// MostAxes is how many axes a tensor may have that is quantized. No framework has tensors of more than 64, and the numbers of very many take
// more memory than the header.
const MostAxes = 1024

// String names the job.
func (q *Quantization) String() string { return "quantize " + q.Name }

// Convert quantizes what Choose says.
func (q *Quantization) Convert(t *Tensor) (Converter, error) {
	if t.Quantized() {
		return nil, t.refuse("is quantized already, by %s: dequantize it first", t.Scheme().Method)
	}
	if !Quantizable(t.dtype) {
		return nil, nil
	}
	if rank := t.lead().Shape.Rank(); rank > MostAxes {
		if t.Elements() > 0 && q.Choose(t) != nil {
			return nil, t.refuse("has %d axes, want at most %d to quantize it: leave it out with --exclude", rank, MostAxes)
		}
		return nil, nil
	}
	choice := q.Choose(t)
	if choice == nil || t.Elements() == 0 {
		return nil, nil
	}
	_, err := choice.Spec.Granularity.Groups(t.Shape(), quant.Weight)
	if errors.Is(err, quant.ErrDisabled) {
		return nil, Kept("block size does not divide its axis: the tensor is not quantized")
	}
	if err != nil {
		return nil, t.refuse("%w: leave it out with --exclude", err)
	}
	dtype, shape := choice.record(t.dtype, t.lead().Shape).Stored()
	if dims := shape.Dims(); dtype == safetensors.F4 && (len(dims) == 0 || dims[len(dims)-1]%2 != 0) {
		return nil, t.refuse("has the shape %s, want an even last axis, as float4 is packed in pairs", shape)
	} else if (dtype == safetensors.F6_E2M3 || dtype == safetensors.F6_E3M2) && (len(dims) == 0 || dims[len(dims)-1]%4 != 0) {
		return nil, t.refuse("has the shape %s, want a last axis that is a multiple of 4, as float6 is packed four to three bytes", shape)
	}
	switch t.dtype {
	case safetensors.F16:
		return newQuantizer[float16.Float16](q, t, choice)
	case safetensors.BF16:
		return newQuantizer[bf16.BFloat16](q, t, choice)
	}
	return newQuantizer[float32](q, t, choice)
}

// Metadata adds the records of the tensors that are quantized.
func (q *Quantization) Metadata(f *safetensors.File, names iter.Seq[string], made func(string) Converter) (map[string]string, error) {
	return recordsMetadata(metadataOf(f), func(yield func(string, Record) bool) {
		for name := range names {
			if c, ok := made(name).(interface{ record() Record }); ok && !yield(name, c.record()) {
				return
			}
		}
	})
}

// Config stays as it is: the files say themselves how they are quantized.
func (q *Quantization) Config(old []byte, _ []Change) ([]byte, error) { return old, nil }

// quantizer quantizes a tensor. First and Rows of its pieces count elements. A plan has one for each tensor, so that it holds little: how the
// tensor is cut, and what is written, is found anew whenever it is asked for.
type quantizer[T kernels.Float] struct {
	job    *Quantization
	t      *Tensor
	choice *Choice
	unit   int // elements without a group in common with others

	known func(f Fact) ([]byte, error) // finds the ranges of units that are cut, or is nil

	params shared[quant.Params] // of units that are cut: they are observed before their first piece is quantized
}

func newQuantizer[T kernels.Float](job *Quantization, t *Tensor, choice *Choice) (Converter, error) {
	q := &quantizer[T]{job: job, t: t, choice: choice}
	pieces, err := q.cut()
	if err != nil {
		return nil, err
	}
	q.unit = pieces.Unit()
	return q, nil
}

// record says how the tensor is quantized.
func (q *quantizer[T]) record() Record { return q.choice.record(q.t.dtype, q.t.lead().Shape) }

// cut says how the tensor is cut.
func (q *quantizer[T]) cut() (quantizers.Pieces[T], error) {
	pieces, err := quantizers.NewPieces[T](q.choice.Spec, quant.Weight, q.t.Shape(), q.record().Packed, q.choice.Importance)
	return pieces, q.t.wrap(err)
}

// Outputs returns the codes and what lies beside them.
func (q *quantizer[T]) Outputs() []safetensors.Info {
	r := q.record()
	groups, err := q.choice.Spec.Granularity.Groups(q.t.Shape(), quant.Weight)
	if err != nil {
		panic(err) // it was no error before
	}
	dtype, shape := r.Stored()
	companions := r.Companions()
	outputs := append(make([]safetensors.Info, 0, 1+len(companions)), safetensors.Info{Name: q.t.Name(), DType: dtype, Shape: shape})
	for _, c := range companions {
		outputs = append(outputs, safetensors.Info{Name: q.t.Name() + c.Suffix, DType: c.DType, Shape: c.Shape(safetensors.ShapeOf(groups...))})
	}
	return outputs
}

// wholePieces is how many pieces' worth of a tensor may be in a worker's memory, so that groups that do not fit a piece are read once only.
const wholePieces = 8

// Pieces yields parts of whole groups where memory holds them, and pieces of those that are longer.
func (q *quantizer[T]) Pieces(most int64) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		size := dtypeOf[T]().Bits() / 8
		n := max(1, int(most)/size)
		pieces, err := q.cut()
		if err != nil {
			panic(err) // it was no error before
		}
		for part := range pieces.Parts(n) {
			if part.Len <= wholePieces*n || q.choice.Spec.Searches() {
				if !yield(q.piece(part, part)) {
					return
				}
				continue
			}
			groups := part // are written with the first piece
			for piece := range pieces.Cut(part, n) {
				if !yield(q.piece(piece, groups)) {
					return
				}
				groups.Groups = 0
			}
		}
	}
}

// piece is a piece that writes the codes of one part, and the parameters of the groups of another.
func (q *quantizer[T]) piece(codes, groups quant.Part) Piece {
	p := Piece{q.t.Name(), codes.First, codes.Len, []Run{{0, int64(codes.Byte), int64(codes.Bytes)}}}
	if groups.Groups == 0 {
		return p
	}
	for i, c := range q.record().Companions() {
		size := int64(c.DType.Bits() / 8)
		if c.Suffix == globalScaleSuffix { // of the only part
			p.Runs = append(p.Runs, Run{i + 1, 0, size})
			continue
		}
		p.Runs = append(p.Runs, Run{i + 1, size * int64(groups.Group), size * int64(groups.Groups)})
	}
	return p
}

func (q *quantizer[T]) Do(s *Scratch, p Piece) ([][]byte, error) {
	pieces, err := q.cut()
	if err != nil {
		return nil, err
	}
	part, err := pieces.Piece(p.First, p.Rows)
	if err != nil {
		return nil, q.t.wrap(err)
	}
	x := lend[T](&s.rows, p.Rows)
	if err := q.read(x, p.First); err != nil {
		return nil, err
	}
	if q.job.NonFinite != nil {
		if nans, infinities, first := nonfinite.Count(x); first >= 0 {
			if err := q.job.NonFinite(q.t, nans, infinities, p.First+first); err != nil {
				return nil, err
			}
		}
	}
	codes := lend[uint8](&s.out[0], part.Bytes)
	s.results = append(s.results[:0], codes)
	params, used := &s.groups, part // whose groups the parameters are of
	if whole := p.First%q.unit == 0 && (p.Rows%q.unit == 0 || p.First+p.Rows == q.t.Elements()); whole {
		if err := pieces.Quantize(codes, params, part, x); err != nil {
			return nil, q.t.wrap(err)
		}
	} else {
		unit, err := pieces.Piece(p.First/q.unit*q.unit, min(q.unit, q.t.Elements()-p.First/q.unit*q.unit))
		if err != nil {
			return nil, q.t.wrap(err)
		}
		long, err := q.params.of(unit.First, func() (quant.Params, error) { return q.findParams(unit.First) })
		if err != nil {
			return nil, err
		}
		defer q.params.done(unit.First, p.Rows, unit.Len)
		params = &long
		piece := part
		piece.Group, piece.Groups = unit.Group, unit.Groups
		if err := pieces.QuantizeBy(long, codes, piece, x); err != nil {
			return nil, q.t.wrap(err)
		}
		used = piece
	}
	if s.watch != nil {
		values, err := q.values(s, codes, *params, used)
		if err == nil {
			err = pass(s, q.t, p.First, x, values)
		}
		if err != nil {
			return nil, q.t.wrap(err)
		}
	}
	if len(p.Runs) == 1 {
		return s.results, nil
	}
	err = q.record().WriteParams(*params, 0, func(_ string, data []byte, _ int64) error {
		own := lend[uint8](&s.out[len(s.results)], len(data))
		copy(own, data)
		s.results = append(s.results, own)
		return nil
	})
	return s.results, q.t.wrap(err)
}

// read reads elements from the one called first on.
func (q *quantizer[T]) read(x []T, first int) error {
	return read(q.t.lead(), x, int64(first)*int64(dtypeOf[T]().Bits()/8))
}

// observePiece is how many elements are observed at a time.
const observePiece = 1 << 18

// findParams finds the parameters of the unit that begins at an element: it asks, or observes the unit.
func (q *quantizer[T]) findParams(first int) (quant.Params, error) {
	var ranges quant.Ranges
	pieces, err := q.cut()
	if err != nil {
		return quant.Params{}, err
	}
	part, err := pieces.Piece(first, min(q.unit, q.t.Elements()-first))
	if err != nil {
		return quant.Params{}, q.t.wrap(err)
	}
	var found []byte
	if q.known != nil && !pieces.Fixed() {
		if found, err = q.known(Fact{Tensor: q.t.Name(), First: first}); err != nil {
			return quant.Params{}, q.t.wrap(err)
		}
	}
	switch {
	case pieces.Fixed():
	case found != nil:
		err = q.t.wrap(ranges.UnmarshalBinary(found))
	default:
		err = q.observeRun(pieces, &ranges, part, part)
	}
	if err != nil {
		return quant.Params{}, err
	}
	params, err := pieces.Params(&ranges, part)
	return params, q.t.wrap(err)
}

// observeRun widens the ranges of a part by those of a run of its elements.
func (q *quantizer[T]) observeRun(pieces quantizers.Pieces[T], ranges *quant.Ranges, part, run quant.Part) error {
	x := make([]T, min(run.Len, observePiece))
	for piece := range pieces.Cut(run, observePiece) {
		piece.Group, piece.Groups = part.Group, part.Groups
		if q.job.Stop != nil {
			if err := q.job.Stop(); err != nil {
				return err
			}
		}
		if err := q.read(x[:piece.Len], piece.First); err != nil {
			return err
		}
		if err := pieces.Observe(ranges, piece, x[:piece.Len]); err != nil {
			return q.t.wrap(err)
		}
	}
	return nil
}

// wrap names file and tensor in an error that does not.
func (t *Tensor) wrap(err error) error {
	if err == nil || errors.As(err, new(*safetensors.Error)) {
		return err
	}
	return t.refuse("%w", err)
}
