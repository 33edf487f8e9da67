package main

import (
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// fakeQuantTensor is a fakeQuantPlace.
type fakeQuantTensor[T kernels.Float] struct {
	info   safetensors.Info // in the last input
	q      quantizers.Quantizer[T]
	odd    oddities
	alone  bool  // the tensor will pass unchanged, and nothing is written beside it
	groups []int // the shape of the parameters that are written
}

func newFakeQuantPlace[T kernels.Float](j *fakeQuantJob, info safetensors.Info) (fakeQuantPlace, error) {
	q, err := quantizers.New[T](j.Spec.Spec, j.target, quantizers.Options{Name: info.Name, Logger: j.log})
	if err != nil {
		return nil, inTensor(j.last, info.Name, err)
	}
	if j.stateIn != nil {
		state, err := readState(j.stateIn, info.Name)
		if err != nil {
			return nil, err
		}
		if err := q.LoadState(state); err != nil {
			if state = restated(state, q, j.target); state == nil || q.LoadState(state) != nil {
				return nil, inTensor(j.stateIn, info.Name, err)
			}
		}
	}
	return &fakeQuantTensor[T]{info: info, q: q}, nil
}

// checkRank refuses a tensor of an absurd number of axes.
func checkRank(in *safetensors.File, info safetensors.Info) error {
	if rank := info.Shape.Rank(); rank > checkpoint.MostAxes {
		return refuse(in, info.Name, "has %d axes, want at most %d to quantize it: leave it out with --exclude", rank, checkpoint.MostAxes)
	}
	return nil
}

// layOut adds to l what run will write. From the shapes alone it tells which pass disables the quantizer.
func (f *fakeQuantTensor[T]) layOut(j *fakeQuantJob, l *layout) error {
	name := f.info.Name
	disabled := f.q.Disabled()
	var groups []int
	for _, in := range j.inputs {
		info, ok := in.Lookup(name)
		if !ok {
			return refuse(in, name, "missing, but %s has it", j.last.Name())
		}
		if info.DType != f.info.DType {
			return refuse(in, name, "is %v, but %v in %s", info.DType, f.info.DType, j.last.Name())
		}
		if err := checkRank(in, info); err != nil {
			return err
		}
		if disabled || info.Elements() == 0 {
			continue
		}
		var err error
		groups, err = j.Spec.Granularity.Groups(info.Shape.Dims(), j.target)
		if disabled = errors.Is(err, quant.ErrDisabled); err != nil && !disabled {
			return refuse(in, name, "%w: leave it out with --exclude", plain(err))
		}
	}
	l.add(name, f.info.DType, f.info.Shape)
	f.groups = groups
	if f.alone = disabled || !f.q.FakeQuantEnabled() || f.info.Elements() == 0; f.alone {
		return nil
	}
	if j.mask != quant.NoMask {
		shape := f.info.Shape
		if j.mask == quant.BitMask {
			shape = safetensors.ShapeOf(kernels.BitMaskLen(f.info.Elements()))
		}
		if err := l.beside(name, maskSuffix, safetensors.U8, shape); err != nil {
			return err
		}
	}
	if err := l.parameters(name, j.Spec.DType, groups); err != nil || j.grad == nil {
		return err
	}
	grad, ok := j.grad.Lookup(name)
	switch {
	case !ok:
		return refuse(j.grad, name, "missing, but %s has it", j.last.Name())
	case grad.DType != f.info.DType:
		return refuse(j.grad, name, "is %v, but %v in %s", grad.DType, f.info.DType, j.last.Name())
	case grad.Shape != f.info.Shape:
		return refuse(j.grad, name, "has the shape %s, but %s in %s", grad.Shape, f.info.Shape, j.last.Name())
	}
	return l.beside(name, gradSuffix, grad.DType, grad.Shape)
}

// run does the passes.
func (f *fakeQuantTensor[T]) run(j *fakeQuantJob) error {
	if err := f.observeAll(j); err != nil {
		return err
	}
	if j.stateOut != nil {
		j.stateOut[f.info.Name] = f.q.State()
	}
	if f.alone {
		return j.copy(j.out, j.last, f.info)
	}
	return f.fakeQuantize(j)
}

// warn says what is not finite in the tensor.
func (f *fakeQuantTensor[T]) warn(log *slog.Logger) { f.odd.warn(log, f.info.Name) }

// observeAll does the passes as far as they move the parameters.
func (f *fakeQuantTensor[T]) observeAll(j *fakeQuantJob) error {
	for _, in := range j.inputs {
		if err := f.observe(j, in); err != nil {
			return err
		}
	}
	return nil
}

// observe does a pass as far as it moves the parameters.
func (f *fakeQuantTensor[T]) observe(j *fakeQuantJob, in *safetensors.File) error {
	name := f.info.Name
	info, _ := in.Lookup(name)
	shape := info.Shape.Dims()
	var ranges quant.Ranges
	observe := func() error { return f.q.ObserveRanges(shape, &ranges) }
	var see func(piece quant.Part, x []T) error // what is to be known of each piece first
	p, err := f.pieces(j, info)
	switch {
	case errors.Is(err, quant.ErrDisabled), info.Elements() == 0: // which the quantizer is to hear of
	case err != nil:
		return inTensor(in, name, err)
	case f.q.Spec().Calculator.Name == "histogram":
		h := quantizers.NewHistogram[T]()
		var counting sync.Mutex
		see = func(_ quant.Part, x []T) error {
			counting.Lock()
			defer counting.Unlock()
			h.Add(x)
			return nil
		}
		observe = func() error { return quantizers.ObserveHistogram(f.q, shape, h) }
	case f.q.Spec().Searches():
		whole := quant.Tensor[T]{Data: make([]T, info.Elements()), Shape: shape}
		see = func(piece quant.Part, x []T) error {
			copy(whole.Data[piece.First:], x)
			return nil
		}
		observe = func() error { return f.q.Observe(whole) }
	case !f.q.Disabled() && f.q.ObserverEnabled() && !p.Fixed():
		see = func(piece quant.Part, x []T) error { return p.Observe(&ranges, piece, x) }
	}
	if see != nil {
		earlier := j.last != nil && in != j.last // the last is looked at when it is quantized
		err := f.each(j, in, p, func(_ *workspace, piece quant.Part, x []T) error {
			if earlier {
				if err := lookFor(&j.nonFiniteFlag, &f.odd, in, name, x, piece.First); err != nil {
					return err
				}
			}
			if err := see(piece, x); err != nil {
				return inTensor(in, name, err)
			}
			return nil
		})
		if err == nil {
			err = j.wait()
		}
		if err != nil {
			return err
		}
	}
	if err := observe(); err != nil {
		return inTensor(in, name, err)
	}
	return nil
}

// each begins to do the pieces of the tensor as it is in one of the files.
func (f *fakeQuantTensor[T]) each(j *fakeQuantJob, in *safetensors.File, p quantizers.Pieces[T], do func(ws *workspace, piece quant.Part, x []T) error) error {
	for piece := range p.Cut(p.Whole(), pieceLen[T]()) {
		if err := j.do(func(ws *workspace) error {
			x, err := f.read(j, in, &ws.in, piece)
			if err != nil {
				return err
			}
			return do(ws, piece, x)
		}); err != nil {
			return err
		}
	}
	return nil
}

// pieces cuts the tensor as it is in one of the files.
func (f *fakeQuantTensor[T]) pieces(j *fakeQuantJob, info safetensors.Info) (quantizers.Pieces[T], error) {
	return quantizers.NewPieces[T](j.Spec.Spec, j.target, info.Shape.Dims(), false, nil)
}

// fakeQuantize does the last pass but for its observation. Each piece is done in place.
func (f *fakeQuantTensor[T]) fakeQuantize(j *fakeQuantJob) error {
	name := f.info.Name
	params, err := f.q.Params()
	if err != nil {
		return inTensor(j.last, name, err)
	}
	if !slices.Equal(params.Shape, f.groups) {
		return refuse(j.last, name, "has groups of the shape %s, but its parameters have %s", shapeText(f.groups), shapeText(params.Shape))
	}
	if err := f.writeParameters(j, params); err != nil {
		return err
	}
	p, err := f.pieces(j, f.info)
	if err != nil {
		return inTensor(j.last, name, err)
	}
	kind := j.mask
	if j.grad != nil && kind == quant.NoMask {
		kind = quant.BitMask // for the gradient alone
	}
	return f.each(j, j.last, p, func(ws *workspace, piece quant.Part, x []T) error {
		if err := lookFor(&j.nonFiniteFlag, &f.odd, j.last, name, x, piece.First); err != nil {
			return err
		}
		mask := quant.Mask{Kind: kind, Data: lend[uint8](&ws.out, piece.Len)}
		if err := p.FakeQuantizeBy(params, x, &mask, piece, x); err != nil {
			return inTensor(j.last, name, err)
		}
		if err := f.write(j, name, piece, x); err != nil {
			return err
		}
		if j.mask != quant.NoMask {
			off := int64(piece.First)
			if j.mask == quant.BitMask {
				off /= 8
			}
			if err := put(j.stream, j.out, name+maskSuffix, mask.Data, off); err != nil {
				return err
			}
		}
		if j.grad == nil {
			return nil
		}
		dy, err := f.read(j, j.grad, &ws.in, piece)
		if err != nil {
			return err
		}
		dx := quant.Tensor[T]{Data: dy, Shape: []int{piece.Len}}
		if err := f.q.Backward(&dx, dx, mask); err != nil {
			return inTensor(j.grad, name, err)
		}
		return f.write(j, name+gradSuffix, piece, dx.Data)
	})
}

// writeParameters writes the tensor's parameters.
func (f *fakeQuantTensor[T]) writeParameters(j *fakeQuantJob, p quant.Params) error {
	if err := put(j.stream, j.out, f.info.Name+scaleSuffix, p.Scale, 0); err != nil || j.Spec.DType.IsFloat() {
		return err
	}
	if err := put(j.stream, j.out, f.info.Name+zeroPointSuffix, p.ZeroPoint, 0); err != nil {
		return err
	}
	return put(j.stream, j.out, f.info.Name+minvalSuffix, p.MinVal, 0)
}

// read reads a piece of the tensor as it is in a file. The last input is read twice.
func (f *fakeQuantTensor[T]) read(j *fakeQuantJob, in *safetensors.File, m *memory, piece quant.Part) ([]T, error) {
	x := lend[T](m, piece.Len)
	times := int64(1)
	if in == j.last {
		times = 2
	}
	return x, getAgain(j.stream, in, f.info.Name, x, int64(piece.First)*sizeOf[T](), times)
}

// write writes a piece of the tensor, or of one of its shape and type.
func (f *fakeQuantTensor[T]) write(j *fakeQuantJob, name string, piece quant.Part, x []T) error {
	return put(j.stream, j.out, name, x, int64(piece.First)*sizeOf[T]())
}
