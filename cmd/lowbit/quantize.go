package main

import (
	"errors"
	"log/slog"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// quantizeCommand is lowbit quantize: codes and parameters in the place of weights.
type quantizeCommand struct {
	choice        `embed:""`
	selection     `embed:""`
	nonFiniteFlag `embed:""`
	Pack          bool    `help:"Pack codes of less than a byte, as presets do."`
	DryRun        bool    `help:"Show what each tensor would become, and write nothing."`
	Output        *string `short:"o" placeholder:"OUT" help:"File to write."`
	In            string  `arg:"" name:"IN" help:"File to read."`
}

// quantizeJob is the command at work.
type quantizeJob struct {
	*quantizeCommand
	*stream
	log *slog.Logger
}

// Run quantizes piece by piece, so that memory holds a few of them at a time.
func (c *quantizeCommand) Run(t *tool) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Output == nil && !c.DryRun {
		return usagef("missing flags: --output=OUT")
	}
	var files files
	defer files.close()
	in := files.open(c.In)
	if files.err != nil {
		return files.err
	}
	plan, err := c.plan(in)
	if err != nil {
		return err
	}
	plans := []*shardPlan{plan}
	log := newLogger(t.stderr)
	if chosen(plans) == 0 {
		log.Warn("no tensor is selected", "file", in.Name())
	}
	if c.DryRun {
		return c.dryRun(t, plans)
	}
	out, err := safetensors.Create(*c.Output, plan.metadata, plan.tensors)
	if err != nil {
		return err
	}
	defer out.Close()
	before, after := plan.sizes()
	j := &quantizeJob{c, t.newStream("quantize", before, after), log}
	defer j.end()
	if err := j.shard(plan, out); err != nil {
		return err
	}
	return j.commit(&files, out)
}

// plan says what becomes of a file that is not quantized yet.
func (c *quantizeCommand) plan(in *safetensors.File) (*shardPlan, error) {
	records, err := checkpoint.ReadRecords(in)
	if err != nil {
		return nil, err
	}
	if len(records) > 0 {
		return nil, &safetensors.Error{File: in.Name(), Err: errors.New("is quantized already, by lowbit: dequantize it first")}
	}
	return c.planShard(in, inFile(in))
}

// shard does all of a file, and waits until that is done.
func (j *quantizeJob) shard(p *shardPlan, out *safetensors.Writer) error {
	for _, s := range p.steps {
		var err error
		j.progress.name(s.info.Name)
		if s.warn != "" {
			j.log.Warn(s.warn, s.attrs...)
		}
		switch {
		case s.record == nil:
			err = j.copy(out, p.in, s.info)
		case s.info.DType == safetensors.F32:
			err = quantizeTensor[float32](j, p.in, out, s)
		case s.info.DType == safetensors.F16:
			err = quantizeTensor[float16.Float16](j, p.in, out, s)
		case s.info.DType == safetensors.BF16:
			err = quantizeTensor[bf16.BFloat16](j, p.in, out, s)
		}
		if err != nil {
			return err
		}
	}
	if err := j.wait(); err != nil {
		return err
	}
	for _, s := range p.steps {
		s.odd.warn(j.log, s.info.Name)
	}
	return nil
}

// quantizeTensor begins to write a tensor's codes and parameters.
func quantizeTensor[T kernels.Float](j *quantizeJob, in *safetensors.File, out *safetensors.Writer, s *step) error {
	p, err := quant.NewPieces[T](s.record.Spec, quant.Weight, s.info.Shape.Dims(), s.record.Packed)
	if err != nil {
		return inTensor(in, s.info.Name, err)
	}
	t := quantizeTask[T]{j, in, out, s, p}
	for part := range p.Parts(pieceLen[T]()) {
		if fits[T](j.stream, part) || s.record.Spec.Searches() {
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
	in     *safetensors.File
	out    *safetensors.Writer
	step   *step
	pieces *quant.Pieces[T]
}

// quantize does a whole part.
func (t *quantizeTask[T]) quantize(b *workbench, part quant.Part) error {
	x, codes, err := t.read(b, part, 1)
	if err != nil {
		return err
	}
	if err := lookFor(&t.nonFiniteFlag, &t.step.odd, t.in, t.step.info.Name, x, part.First); err != nil {
		return err
	}
	if err := t.pieces.Quantize(codes, &b.params, part, x); err != nil {
		return inTensor(t.in, t.step.info.Name, err)
	}
	if err := put(t.stream, t.out, t.step.info.Name, codes, int64(part.Byte)); err != nil {
		return err
	}
	return t.writeParameters(b.params, part)
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
					return inTensor(t.in, t.step.info.Name, err)
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
		return inTensor(t.in, t.step.info.Name, err)
	}
	if err := t.writeParameters(params, part); err != nil {
		return err
	}
	for piece := range t.pieces.Cut(part, pieceLen[T]()) {
		if err := t.do(func(b *workbench) error {
			x, codes, err := t.read(b, piece, times)
			if err != nil {
				return err
			}
			if err := lookFor(&t.nonFiniteFlag, &t.step.odd, t.in, t.step.info.Name, x, piece.First); err != nil {
				return err
			}
			if err := t.pieces.QuantizeBy(params, codes, piece, x); err != nil {
				return inTensor(t.in, t.step.info.Name, err)
			}
			return put(t.stream, t.out, t.step.info.Name, codes, int64(piece.Byte))
		}); err != nil {
			return err
		}
	}
	return nil
}

// writeParameters writes the parameters of a part.
func (t *quantizeTask[T]) writeParameters(p quant.Params, part quant.Part) error {
	err := t.step.record.WriteParams(p, part.Group, func(suffix string, data []byte, off int64) error {
		return putRaw(t.stream, t.out, t.step.info.Name+suffix, data, off)
	})
	if err != nil && !errors.As(err, new(*safetensors.Error)) {
		return inTensor(t.in, t.step.info.Name, err)
	}
	return err
}

// read reads elements, as it does so many times, and lends memory for their codes.
func (t *quantizeTask[T]) read(b *workbench, piece quant.Part, times int64) (x []T, codes []uint8, err error) {
	x, codes = lend[T](&b.in, piece.Len), lend[uint8](&b.out, piece.Bytes)
	return x, codes, getAgain(t.stream, t.in, t.step.info.Name, x, int64(piece.First)*sizeOf[T](), times)
}
