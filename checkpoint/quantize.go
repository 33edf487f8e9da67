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

	check func(t *Tensor, p *quant.Params) error // refuses parameters, or is nil
}

// Choice is how a tensor is quantized.
type Choice struct {
	Spec quant.Spec
	Pack bool // codes of less than a byte are packed

	// Importance has a weight for each position along the last axis, of all matrices alike or of one behind the other, or is nil: the range
	// calculator mse takes it, and no other.
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
	choice *Choice
	parted[T]
}

func newQuantizer[T kernels.Float](job *Quantization, t *Tensor, choice *Choice) (Converter, error) {
	q := &quantizer[T]{job: job, choice: choice, parted: parted[T]{t: t, stop: job.Stop}}
	_, err := q.cut(false)
	return q, err
}

// record says how the tensor is quantized.
func (q *quantizer[T]) record() Record { return q.choice.record(q.t.dtype, q.t.lead().Shape) }

// cut says how the tensor is cut.
func (q *quantizer[T]) cut(observed bool) (quantizers.Pieces[T], error) {
	pieces, err := quantizers.NewPieces[T](q.choice.Spec, quant.Weight, q.t.Shape(), q.record().Packed && !observed, q.choice.Importance)
	return pieces, q.t.wrap(err)
}

func (q *quantizer[T]) searches() bool { return q.choice.Spec.Searches() }

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

// Pieces yields parts of whole groups where memory holds them, and pieces of those that are longer.
func (q *quantizer[T]) Pieces(most int64) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		for codes, groups := range q.pieces(q, max(1, int(most)/(dtypeOf[T]().Bits()/8))) {
			if !yield(q.piece(codes, groups)) {
				return
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
		if c.Suffix == globalScaleSuffix { // of the whole tensor
			if codes.First == 0 {
				p.Runs = append(p.Runs, Run{i + 1, 0, size})
			}
			continue
		}
		p.Runs = append(p.Runs, Run{i + 1, size * int64(groups.Group), size * int64(groups.Groups)})
	}
	return p
}

// Do quantizes a piece.
func (q *quantizer[T]) Do(s *Scratch, p Piece) ([][]byte, error) {
	x := lend[T](&s.rows, p.Rows)
	err := q.do(s, q, p, x, func(pieces quantizers.Pieces[T], part quant.Part, params *quant.Params) error {
		if q.job.NonFinite != nil {
			if nans, infinities, first := nonfinite.Count(x); first >= 0 {
				if err := q.job.NonFinite(q.t, nans, infinities, p.First+first); err != nil {
					return err
				}
			}
		}
		codes := lend[uint8](&s.out[0], part.Bytes)
		s.results = append(s.results[:0], codes)
		known := params != nil
		if !known {
			params = &s.groups
			if err := pieces.Quantize(codes, params, part, x); err != nil {
				return err
			}
		}
		if q.job.check != nil {
			if err := q.job.check(q.t, params); err != nil {
				return err
			}
		}
		if known {
			if err := pieces.QuantizeBy(*params, codes, part, x); err != nil {
				return err
			}
		}
		if s.watch != nil {
			values, err := q.values(s, codes, *params, part)
			if err == nil {
				err = pass(s, q.t, p.First, x, values)
			}
			if err != nil {
				return err
			}
		}
		if len(p.Runs) == 1 {
			return nil
		}
		return q.record().WriteParams(*params, 0, func(suffix string, data []byte, _ int64) error {
			if suffix == globalScaleSuffix && p.First > 0 {
				return nil
			}
			own := lend[uint8](&s.out[len(s.results)], len(data))
			copy(own, data)
			s.results = append(s.results, own)
			return nil
		})
	})
	return s.results, err
}

// read reads elements from the one called first on.
func (q *quantizer[T]) read(x []T, first int) error {
	return read(q.t.lead(), x, int64(first)*int64(dtypeOf[T]().Bits()/8))
}

// wrap names file and tensor in an error that does not.
func (t *Tensor) wrap(err error) error {
	if err == nil || errors.As(err, new(*safetensors.Error)) {
		return err
	}
	return t.refuse("%w", err)
}
