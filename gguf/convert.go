package gguf

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

// Conversion says how a file's tensors become those of another.
type Conversion struct {
	// Metadata is that of the new file. Preset.Metadata makes it.
	Metadata []KV

	// Types has a type for each tensor of the source, its own for those that are copied. Preset.Types makes them.
	Types []Type

	// Importance may be nil. A tensor that it does not have is quantized without.
	Importance *Importance

	// Workers is the number of tensors' pieces that are worked on at the same time; 0 stands for 1. The file does not depend on it.
	Workers int

	// Progress, unless it is nil, is told how many bytes were read and written since the last call; calls do not overlap.
	Progress func(bytes int64)

	// Begin, unless it is nil, is told the name of each tensor when its turn comes.
	Begin func(tensor string)

	// Watch, unless it is nil, is told of every byte of the source, and of what has become of it, by several goroutines at a time. It keeps
	// nothing of a Passage. Its error ends the work.
	Watch func(Passage) error
}

// Passage is a run of a tensor's elements on their way through a conversion, and what has become of them.
type Passage struct {
	Info          // of the source
	Offset int64  // of Stored, from the start of the tensor
	Stored []byte // as the source has them
	To     Type
	Blocks []byte // as the new file has them: Stored where they are copied
}

// taskLen is the number of elements that a worker has in memory at a time, but for rows that must be seen whole: some megabytes with all that
// comes of them. It is a multiple of pieceLen. A variable for the tests.
var taskLen = 1 << 20

// Tensors lists what the new file has, and the names of tensors that are quantized without weights although there is an importance matrix.
// It finds what Convert would refuse before it reads data: a tensor that is quantized already, an importance matrix with entries of the wrong
// length, one of several files of a model.
func (c Conversion) Tensors(src *File) (tensors []Info, unweighed []string, err error) {
	if parts := integer(src.Value("split.count")); parts > 1 {
		return nil, nil, &Error{File: src.name, Err: fmt.Errorf("is one of the %d files of a model, which must be merged first", parts)}
	}
	if len(c.Types) != len(src.Tensors()) {
		return nil, nil, &Error{File: src.name, Err: fmt.Errorf("%d types for %d tensors", len(c.Types), len(src.Tensors()))}
	}
	for i, t := range src.Tensors() {
		to := c.Types[i]
		refuse := func(format string, args ...any) error {
			return &Error{File: src.name, Tensor: t.Name, Err: fmt.Errorf(format, args...)}
		}
		if t.Type.Quantized() {
			return nil, nil, refuse("is %v, quantized already: dequantize it first", t.Type)
		}
		if to != t.Type {
			if !t.Type.Supported() || !to.Supported() {
				return nil, nil, refuse("cannot make %v of %v", to, t.Type)
			}
			if t.Row()%to.BlockLen() != 0 {
				return nil, nil, refuse("rows of %d elements are not a multiple of the %d of a block of %v", t.Row(), to.BlockLen(), to)
			}
			if to.Quantized() && c.Importance != nil { // of types that have no use for weights too: the matrix may be another model's
				weights, err := c.Importance.Weights(t)
				if err != nil {
					return nil, nil, err
				}
				if weights == nil {
					unweighed = append(unweighed, t.Name)
				}
			}
		}
		out := t
		out.Type = to
		if to.Known() {
			out.Size = int64(to.Bytes(t.Elements()))
		}
		tensors = append(tensors, out)
	}
	return tensors, unweighed, nil
}

// Convert writes a file with the source's tensors, whose types are F32, F16, BF16 and those that are not quantized, in other types. Memory
// holds a few pieces of them at a time. A NaN or an infinity is an error, be it in the source, made by rounding to F16 or BF16, or a block's
// scale. The file appears at path whole or not at all, and may take the place of the source.
func Convert(ctx context.Context, path string, src *File, c Conversion) error {
	tensors, _, err := c.Tensors(src)
	if err != nil {
		return err
	}
	w, err := Create(path, c.Metadata, tensors)
	if err != nil {
		return err
	}
	defer w.Close()
	workers := max(c.Workers, 1)
	r := &run{src: src, out: w, watch: c.Watch, progress: c.Progress, tasks: make(chan task, workers), first: math.MaxInt64}
	var crew sync.WaitGroup
	for range workers {
		crew.Go(r.work)
	}
	number := int64(0)
	for i, t := range src.Tensors() {
		if c.Begin != nil {
			c.Begin(t.Name)
		}
		var weights []float32
		if to := c.Types[i]; to != t.Type && to.Weighed() {
			if weights, err = c.Importance.Weights(t); err != nil {
				break // Tensors would have said so
			}
		}
		if !r.cut(ctx, t, c.Types[i], weights, &number) {
			break
		}
	}
	close(r.tasks)
	crew.Wait()
	if err := ctx.Err(); err != nil && r.err == nil {
		return &Error{File: path, Err: err}
	}
	if r.err != nil {
		return r.err
	}
	return w.Commit()
}

// task is a part of a tensor.
type task struct {
	number  int64
	info    Info
	to      Type
	at, n   int       // elements of the tensor; of one that is copied as it is, bytes
	row     int       // a row of the part
	weights []float32 // nil or row of them
	copied  bool      // its bytes are copied, whatever they are
}

// run is Convert at work.
type run struct {
	src   *File
	out   *Writer
	tasks chan task

	failed atomic.Bool
	mu     sync.Mutex
	first  int64 // the number of the first task that failed
	err    error // its error

	writing  sync.Mutex // the file system takes one write to a file at a time, and lets the others spin
	progress func(bytes int64)
	watch    func(Passage) error
}

// cut gives the parts of a tensor to the workers. It reports whether there is no error yet.
func (r *run) cut(ctx context.Context, info Info, to Type, weights []float32, number *int64) bool {
	give := func(t task) bool {
		if r.failed.Load() || ctx.Err() != nil {
			return false
		}
		t.number, t.info, t.to = *number, info, to
		*number++
		r.tasks <- t
		return true
	}
	if !info.Type.Supported() {
		for at := int64(0); at < info.Size; at += int64(taskLen) {
			if !give(task{at: int(at), n: int(min(int64(taskLen), info.Size-at)), copied: true}) {
				return false
			}
		}
		return true
	}
	row, total := info.Row(), info.Elements()
	if total == 0 {
		return true
	}
	if weights == nil {
		// Blocks do not depend on their rows.
		for at := 0; at < total; at += taskLen {
			n := min(taskLen, total-at)
			if !give(task{at: at, n: n, row: n}) {
				return false
			}
		}
		return true
	}
	matrix := total / matrices(info)
	for first := 0; first < total; first += matrix {
		w := weights[first/matrix*row:][:row]
		if row > taskLen && !meanOfRow(to) {
			for at := first; at < first+matrix; {
				column := at % row
				n := min(taskLen, row-column)
				if !give(task{at: at, n: n, row: n, weights: w[column : column+n]}) {
					return false
				}
				at += n
			}
			continue
		}
		step := max(taskLen/row, 1) * row
		for at := first; at < first+matrix; at += step {
			if !give(task{at: at, n: min(step, first+matrix-at), row: row, weights: w}) {
				return false
			}
		}
	}
	return true
}

// work does tasks until there are no more.
func (r *run) work() {
	var in, out []byte
	for t := range r.tasks {
		if err := r.do(t, &in, &out); err != nil {
			r.failed.Store(true)
			r.mu.Lock()
			if t.number < r.first {
				r.first, r.err = t.number, err
			}
			r.mu.Unlock()
		}
	}
}

// do does one task in memory that is lent.
func (r *run) do(t task, in, out *[]byte) error {
	fail := func(err error) error { return &Error{File: r.src.name, Tensor: t.info.Name, Err: err} }
	read := func(bytes, off int64) ([]byte, error) {
		// Room to begin at a multiple of eight.
		if int64(cap(*in)) < bytes+8 {
			*in = make([]byte, bytes+8)
		}
		b := (*in)[:cap(*in)]
		b = b[-uintptr(unsafe.Pointer(unsafe.SliceData(b)))%8:][:bytes]
		return b, r.src.ReadTensor(t.info.Name, b, off)
	}
	write := func(blocks []byte, off int64, stored []byte, from int64) error {
		if r.watch != nil {
			if err := r.watch(Passage{t.info, from, stored, t.to, blocks}); err != nil {
				return err
			}
		}
		r.writing.Lock()
		defer r.writing.Unlock()
		if r.progress != nil {
			r.progress(int64(len(stored)) + int64(len(blocks)))
		}
		return r.out.WriteTensor(t.info.Name, blocks, off)
	}
	if t.copied {
		b, err := read(int64(t.n), int64(t.at))
		if err != nil {
			return err
		}
		return write(b, int64(t.at), b, int64(t.at))
	}
	size := int64(t.info.Type.BlockBytes())
	b, err := read(int64(t.n)*size, int64(t.at)*size)
	if err != nil {
		return err
	}
	if bad := firstNotFinite(b, t.info.Type); bad >= 0 {
		return fail(fmt.Errorf("element %d is a NaN or an infinity", t.at+bad))
	}
	length, bytes := t.to.BlockLen(), t.to.BlockBytes()
	off := int64(t.at/length) * int64(bytes)
	if t.to == t.info.Type {
		return write(b, off, b, off)
	}
	need := t.n / length * bytes
	if cap(*out) < need {
		*out = make([]byte, need)
	}
	blocks := (*out)[:need]
	swap(b, int(size))
	how := Blocks{Type: t.to, Row: t.row, Importance: t.weights}
	switch t.info.Type {
	case F32:
		Quantize(blocks, elementsOf[float32](b, t.n), how)
	case F16:
		Quantize(blocks, elementsOf[float16.Float16](b, t.n), how)
	case BF16:
		Quantize(blocks, elementsOf[bf16.BFloat16](b, t.n), how)
	}
	if bad := Invalid(blocks, t.to); bad >= 0 {
		if length == 1 {
			return fail(fmt.Errorf("element %d is too large for %v", t.at+bad, t.to))
		}
		first := t.at + bad*length
		return fail(fmt.Errorf("elements %d to %d cannot be %v: their scale is a NaN or infinite", first, first+length-1, t.to))
	}
	swap(b, int(size))
	return write(blocks, off, b, int64(t.at)*size)
}

// elementsOf views bytes, which begin at a multiple of the size of an element, as n elements.
func elementsOf[E number](b []byte, n int) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// firstNotFinite finds the first element of F32, F16 or BF16 that is a NaN or an infinity, -1 if there is none.
func firstNotFinite(b []byte, t Type) int {
	size := t.BlockBytes()
	n := len(b) / size
	for at := 0; at < n; at += pieceLen {
		piece := b[size*at : size*min(at+pieceLen, n)]
		if certainlyFinite(piece, t) {
			continue
		}
		if i := firstOfNotFinite(piece, t); i >= 0 {
			return at + i
		}
	}
	return -1
}

// certainlyFinite tells by generated code whether there is no NaN and no infinity; without such code it does not know.
func certainlyFinite(b []byte, t Type) bool {
	impl, most := isa.Current(), float32(0)
	if impl == asm.Generic {
		return false
	}
	switch x := unsafe.Pointer(unsafe.SliceData(b)); t {
	case F32:
		asm.AbsMax[float32](impl, asm.F32, x, &most, 1, len(b)/4)
	case F16:
		asm.AbsMax[float16.Float16](impl, asm.F16, x, &most, 1, len(b)/2)
	case BF16:
		asm.AbsMax[bf16.BFloat16](impl, asm.BF16, x, &most, 1, len(b)/2)
	}
	return finite(most)
}

// firstOfNotFinite is firstNotFinite, element by element.
func firstOfNotFinite(b []byte, t Type) int {
	switch t {
	case F32:
		for i := 0; i+4 <= len(b); i += 4 {
			if binary.LittleEndian.Uint32(b[i:])&0x7f800000 == 0x7f800000 {
				return i / 4
			}
		}
	case F16:
		return firstMasked(b, 0x7c00)
	case BF16:
		return firstMasked(b, 0x7f80)
	}
	return -1
}

// firstMasked finds the first of the words of two bytes in which all bits of a mask are set.
func firstMasked(b []byte, mask uint16) int {
	for i := 0; i+2 <= len(b); i += 2 {
		if binary.LittleEndian.Uint16(b[i:])&mask == mask {
			return i / 2
		}
	}
	return -1
}

// Invalid finds the first block that llama.cpp would refuse, -1 if there is none: one with a NaN or an infinity as an element or as a scale of
// float16, or of MXFP4 with the exponent 255.
func Invalid(blocks []byte, t Type) int {
	first, second := 0, 0 // where the scales are
	switch t {
	case F32, F16, BF16:
		return firstNotFinite(blocks, t)
	case Q8_0, Q4_0, Q5_0, IQ4_NL, IQ4_XS:
	case Q4_1, Q5_1, Q4_K, Q5_K:
		second = 2
	case Q2_K:
		first, second = 80, 82
	case Q3_K:
		first, second = 108, 108
	case Q6_K:
		first, second = 208, 208
	case MXFP4:
		for i := 0; i < len(blocks); i += 17 {
			if blocks[i] == 255 {
				return i / 17
			}
		}
		return -1
	default:
		return -1
	}
	size := t.BlockBytes()
	for i := 0; i < len(blocks); i += size {
		b := blocks[i : i+size]
		if badHalf(binary.LittleEndian.Uint16(b[first:])) || badHalf(binary.LittleEndian.Uint16(b[second:])) {
			return i / size
		}
	}
	return -1
}
