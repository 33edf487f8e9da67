package main

import (
	"errors"
	"log/slog"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// quantizeCommand is lowbit quantize: codes and parameters in the place of weights.
type quantizeCommand struct {
	Spec      specFlag `required:"" placeholder:"JSON" help:"How to quantize: JSON, or @FILE."`
	selection `embed:""`
	Pack      bool   `help:"Pack codes of less than a byte."`
	Output    string `short:"o" required:"" placeholder:"OUT" help:"File to write."`
	In        string `arg:"" name:"IN" help:"File to read."`
}

// quantizeJob is the command at work.
type quantizeJob struct {
	*quantizeCommand
	*stream
	log *slog.Logger
	in  *safetensors.File
	out *safetensors.Writer
}

// Run quantizes piece by piece, so that memory holds a few of them at a time.
func (c *quantizeCommand) Run(t *tool) error {
	if _, err := quant.New[float32](c.Spec.Spec, quant.Weight); err != nil {
		return usagef("--spec: %w", plain(err))
	}
	var files files
	defer files.close()
	j := &quantizeJob{quantizeCommand: c, log: newLogger(t.stderr), in: files.open(c.In)}
	if files.err != nil {
		return files.err
	}

	l := &layout{in: j.in}
	done, places, err := j.layOut(l)
	if err != nil {
		return err
	}
	metadata, err := done.addTo(j.in.Metadata())
	if err != nil {
		return err
	}
	if j.out, err = safetensors.Create(c.Output, metadata, l.tensors); err != nil {
		return err
	}
	defer j.out.Close()
	j.stream = t.newStream("quantize", j.out, j.in)
	defer j.end()

	for _, info := range j.in.Tensors() {
		switch {
		case !places[info.Name]:
			err = j.copy(j.out, j.in, info)
		case info.DType == safetensors.F32:
			err = quantizeTensor[float32](j, info)
		case info.DType == safetensors.F16:
			err = quantizeTensor[float16.Float16](j, info)
		case info.DType == safetensors.BF16:
			err = quantizeTensor[bf16.BFloat16](j, info)
		}
		if err != nil {
			return err
		}
	}
	return j.commit(&files, j.out)
}

// layOut lays OUT out, and returns the records that go into it and the tensors that are selected.
func (j *quantizeJob) layOut(l *layout) (done records, selected map[string]bool, err error) {
	earlier, err := readRecords(j.in)
	if err != nil {
		return nil, nil, err
	}
	done, selected = make(records), make(map[string]bool)
	for _, info := range j.in.Tensors() {
		if r, ok := earlier[info.Name]; ok {
			done[info.Name] = r
		}
		if !j.selects(info, earlier) {
			l.add(info.Name, info.DType, info.Shape)
			continue
		}
		selected[info.Name] = true
		groups, err := j.Spec.Granularity.Groups(info.Shape.Dims(), quant.Weight)
		if info.Elements() == 0 || errors.Is(err, quant.ErrDisabled) {
			l.add(info.Name, info.DType, info.Shape)
			continue
		}
		if err != nil {
			return nil, nil, inTensor(j.in, info.Name, err)
		}
		r := record{Spec: &j.Spec.Spec, DType: info.DType.String(), Shape: info.Shape.Dims(), Packed: j.Pack && j.Spec.DType.Bits() < 8}
		dtype, shape := r.stored()
		if n := len(r.Shape); dtype == safetensors.F4 && (n == 0 || r.Shape[n-1]%2 != 0) {
			return nil, nil, refuse(j.in, info.Name, "has the shape %s, want an even last axis, as float4 is packed in pairs", info.Shape)
		}
		l.add(info.Name, dtype, shape)
		if err := l.parameters(info.Name, j.Spec.DType, groups); err != nil {
			return nil, nil, err
		}
		done[info.Name] = r
	}
	if len(selected) == 0 {
		j.log.Warn("no tensor is selected", "file", j.in.Name())
	}
	return done, selected, nil
}

// quantizeTensor begins to write a tensor's codes and parameters; a tensor whose quantizer is disabled, or that is empty, passes unchanged.
func quantizeTensor[T kernels.Float](j *quantizeJob, info safetensors.Info) error {
	if info.Elements() == 0 {
		return nil
	}
	p, err := quant.NewPieces[T](j.Spec.Spec, quant.Weight, info.Shape.Dims(), j.Pack)
	if errors.Is(err, quant.ErrDisabled) {
		j.log.Warn("block size does not divide its axis: the tensor is not quantized",
			"tensor", info.Name, "shape", info.Shape, "granularity", j.Spec.Granularity.String())
		return j.copy(j.out, j.in, info)
	}
	if err != nil {
		return inTensor(j.in, info.Name, err)
	}
	t := quantizeTask[T]{j, info, p}
	for part := range p.Parts(pieceLen[T]()) {
		if fits[T](j.stream, part) {
			err = j.do(func(b *workbench) error { return t.quantize(b, part) })
		} else {
			err = t.quantizeLong(part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// quantizeTask is a tensor to quantize.
type quantizeTask[T kernels.Float] struct {
	*quantizeJob
	info   safetensors.Info
	pieces *quant.Pieces[T]
}

// quantize does a whole part.
func (t *quantizeTask[T]) quantize(b *workbench, part quant.Part) error {
	x, codes, err := t.read(b, part, 1)
	if err != nil {
		return err
	}
	if err := t.pieces.Quantize(codes, &b.params, part, x); err != nil {
		return inTensor(t.in, t.info.Name, err)
	}
	if err := put(t.stream, t.out, t.info.Name, codes, int64(part.Byte)); err != nil {
		return err
	}
	return putParameters(t.stream, t.out, t.info.Name, t.Spec.DType, b.params, part.Group)
}

// quantizeLong does a part that memory is not to hold: it is read to be observed, unless its parameters are fixed, and once more to be
// quantized.
func (t *quantizeTask[T]) quantizeLong(part quant.Part) error {
	var ranges quant.Ranges
	times := int64(1)
	if !t.pieces.Fixed() {
		times = 2
		for piece := range t.pieces.Cut(part, pieceLen[T]()) {
			if err := t.do(func(b *workbench) error {
				x, _, err := t.read(b, piece, times)
				if err != nil {
					return err
				}
				if err := t.pieces.Observe(&ranges, piece, x); err != nil {
					return inTensor(t.in, t.info.Name, err)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		if err := t.wait(); err != nil {
			return err
		}
	}
	params, err := t.pieces.Params(&ranges, part)
	if err != nil {
		return inTensor(t.in, t.info.Name, err)
	}
	if err := putParameters(t.stream, t.out, t.info.Name, t.Spec.DType, params, part.Group); err != nil {
		return err
	}
	for piece := range t.pieces.Cut(part, pieceLen[T]()) {
		if err := t.do(func(b *workbench) error {
			x, codes, err := t.read(b, piece, times)
			if err != nil {
				return err
			}
			if err := t.pieces.QuantizeBy(params, codes, piece, x); err != nil {
				return inTensor(t.in, t.info.Name, err)
			}
			return put(t.stream, t.out, t.info.Name, codes, int64(piece.Byte))
		}); err != nil {
			return err
		}
	}
	return nil
}

// read reads elements, as it does so many times, and lends memory for their codes.
func (t *quantizeTask[T]) read(b *workbench, piece quant.Part, times int64) (x []T, codes []uint8, err error) {
	x, codes = lend[T](&b.in, piece.Len), lend[uint8](&b.out, piece.Bytes)
	return x, codes, getAgain(t.stream, t.in, t.info.Name, x, int64(piece.First)*sizeOf[T](), times)
}
