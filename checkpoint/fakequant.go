package checkpoint

import (
	"errors"
	"iter"
	"slices"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/nonfinite"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// maskSuffix is that of what only FakeQuantization writes beside a tensor.
const maskSuffix = ".mask"

// FakeQuantization is the job of a quantizer's first forward pass over each tensor: T holds what its values become, in their own type and
// shape. Beside it lie T.mask, U8, a byte per element or one dimension of bits; T.scale, F32, one per group and shaped as their number; and
// for integers T.zero_point, I32, and T.minval, F32. A tensor that is quantized already is taken by the values that Dequantization gives,
// under its plain name; those in Lowbit's own layout stay as they are, and so does a tensor that the block size does not divide. What is
// not selected stays too, but for blocks of a GGUF file, which are left out.
type FakeQuantization struct {
	Spec   quant.Spec
	Target quant.Target
	Mask   quant.MaskKind
	Select func(t *Tensor) bool // which tensors; nil for all
	Name   string               // tells one job from another

	NonFinite func(t *Tensor, nans, infinities, first int) error // as Quantization has it
	Stop      func() error                                       // as Quantization has it
}

// String names the job.
func (f *FakeQuantization) String() string { return "fakequant " + f.Name }

// takes tells whether a tensor is fake-quantized.
func (f *FakeQuantization) takes(t *Tensor) bool {
	return t.Scheme().Method != methodOwn && (t.Quantized() || floating(t.dtype)) && (f.Select == nil || f.Select(t))
}

// plain is what becomes of the tensors that are taken before they are fake-quantized, and of all others.
func (f *FakeQuantization) plain() Dequantization { return Dequantization{Select: f.takes} }

// Convert takes the tensors that are selected.
func (f *FakeQuantization) Convert(t *Tensor) (Converter, error) {
	switch {
	case !f.takes(t):
		return f.plain().Convert(t)
	case t.Err() != nil:
		return nil, t.Err()
	case layoutOf(t) == nil:
		return nil, t.refuse("has %d axes, want at most %d to quantize it: leave it out with --exclude", t.lead().Shape.Rank(), MostAxes)
	case t.Elements() == 0:
		return nil, nil
	}
	groups, err := f.Spec.Granularity.Groups(t.Shape(), f.Target)
	if errors.Is(err, quant.ErrDisabled) {
		return nil, Kept("block size does not divide its axis: the tensor is not quantized")
	}
	if err != nil {
		return nil, t.refuse("%w: leave it out with --exclude", err)
	}
	switch t.dtype {
	case safetensors.F16:
		return newFakeQuantizer[float16.Float16](f, t, groups), nil
	case safetensors.BF16:
		return newFakeQuantizer[bf16.BFloat16](f, t, groups), nil
	}
	return newFakeQuantizer[float32](f, t, groups), nil
}

// Metadata is that of the plain model.
func (f *FakeQuantization) Metadata(file *safetensors.File, names iter.Seq[string], made func(string) Converter) (map[string]string, error) {
	return f.plain().Metadata(file, names, made)
}

// Config is that of the plain model.
func (f *FakeQuantization) Config(old []byte, changes []Change) ([]byte, error) {
	return f.plain().Config(old, changes)
}

// fakeQuantizer fake-quantizes a tensor. First and Rows of its pieces count elements.
type fakeQuantizer[T kernels.Float] struct {
	job    *FakeQuantization
	groups []int // the shape of the parameters
	parted[T]
}

func newFakeQuantizer[T kernels.Float](job *FakeQuantization, t *Tensor, groups []int) *fakeQuantizer[T] {
	f := &fakeQuantizer[T]{job, groups, parted[T]{t: t, stop: job.Stop}}
	if job.Mask == quant.BitMask {
		f.align = 8 // whole bytes of the mask
	}
	return f
}

func (f *fakeQuantizer[T]) cut(bool) (quantizers.Pieces[T], error) {
	pieces, err := quantizers.NewPieces[T](f.job.Spec, f.job.Target, f.t.Shape(), false, nil)
	return pieces, f.t.wrap(err)
}

func (f *fakeQuantizer[T]) searches() bool { return f.job.Spec.Searches() }

// Outputs returns the values, the mask and the parameters.
func (f *fakeQuantizer[T]) Outputs() []safetensors.Info {
	name, shape, groups := f.t.Name(), safetensors.ShapeOf(f.t.Shape()...), safetensors.ShapeOf(f.groups...)
	outputs := []safetensors.Info{{Name: name, DType: dtypeOf[T](), Shape: shape}}
	switch f.job.Mask {
	case quant.ByteMask:
		outputs = append(outputs, safetensors.Info{Name: name + maskSuffix, DType: safetensors.U8, Shape: shape})
	case quant.BitMask:
		outputs = append(outputs, safetensors.Info{Name: name + maskSuffix, DType: safetensors.U8, Shape: safetensors.ShapeOf(kernels.BitMaskLen(f.t.Elements()))})
	}
	outputs = append(outputs, safetensors.Info{Name: name + scaleSuffix, DType: safetensors.F32, Shape: groups})
	if !f.job.Spec.DType.IsFloat() {
		outputs = append(outputs, safetensors.Info{Name: name + zeroPointSuffix, DType: safetensors.I32, Shape: groups},
			safetensors.Info{Name: name + minvalSuffix, DType: safetensors.F32, Shape: groups})
	}
	return outputs
}

// Pieces yields parts of whole groups where memory holds them, and pieces of those that are longer.
func (f *fakeQuantizer[T]) Pieces(most int64) iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		size := dtypeOf[T]().Bits() / 8
		outputs := f.Outputs()
		for piece, groups := range f.pieces(f, max(1, int(most)/size)) {
			runs := []Run{{0, int64(piece.First) * int64(size), int64(piece.Len) * int64(size)}}
			switch f.job.Mask {
			case quant.ByteMask:
				runs = append(runs, Run{1, int64(piece.First), int64(piece.Len)})
			case quant.BitMask:
				runs = append(runs, Run{1, int64(piece.First / 8), int64(kernels.BitMaskLen(piece.Len))})
			}
			if groups.Groups > 0 {
				for i := len(runs); i < len(outputs); i++ {
					runs = append(runs, Run{i, 4 * int64(groups.Group), 4 * int64(groups.Groups)})
				}
			}
			if !yield(Piece{f.t.Name(), piece.First, piece.Len, runs}) {
				return
			}
		}
	}
}

// Do fake-quantizes a piece.
func (f *fakeQuantizer[T]) Do(s *Scratch, p Piece) ([][]byte, error) {
	x := lend[T](&s.out[0], p.Rows)
	err := f.do(s, f, p, x, func(pieces quantizers.Pieces[T], part quant.Part, params *quant.Params) error {
		if f.job.NonFinite != nil {
			if nans, infinities, first := nonfinite.Count(x); first >= 0 {
				if err := f.job.NonFinite(f.t, nans, infinities, p.First+first); err != nil {
					return err
				}
			}
		}
		mask := quant.Mask{Kind: f.job.Mask, Data: lend[uint8](&s.out[1], p.Rows)}
		if params == nil {
			params = &s.groups
			if err := pieces.FakeQuantize(x, &mask, params, part, x); err != nil {
				return err
			}
		} else if err := pieces.FakeQuantizeBy(*params, x, &mask, part, x); err != nil {
			return err
		}
		toggleEndian(x)
		s.results = append(s.results[:0], bytesOf(x))
		if f.job.Mask != quant.NoMask {
			s.results = append(s.results, mask.Data)
		}
		if len(s.results) == len(p.Runs) {
			return nil
		}
		s.results = append(s.results, littleEndian(params.Scale))
		if !f.job.Spec.DType.IsFloat() {
			s.results = append(s.results, littleEndian(params.ZeroPoint), littleEndian(params.MinVal))
		}
		return nil
	})
	return s.results, err
}

// littleEndian returns a copy of elements as the bytes that files have.
func littleEndian[E element](elements []E) []byte {
	own := slices.Clone(elements)
	toggleEndian(own)
	return bytesOf(own)
}

// read reads elements from the one called first on: the rows that they are in.
func (f *fakeQuantizer[T]) read(x []T, first int) error {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if _, ok := layoutOf(f.t).(plain); ok {
		return f.t.wrap(readPlain(f.t.lead(), s, x, first))
	}
	row := f.t.RowLen()
	from, to := first/row, (first+len(x)+row-1)/row
	if first%row == 0 && len(x)%row == 0 {
		return ReadRows(f.t, x, from)
	}
	rows := lend[T](&s.whole, (to-from)*row)
	if err := ReadRows(f.t, rows, from); err != nil {
		return err
	}
	copy(x, rows[first-from*row:])
	return nil
}
