package main

import (
	"errors"
	"log/slog"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/safetensors"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
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
	log      *slog.Logger
	in       *safetensors.File
	out      *safetensors.Writer
	x, codes memory
}

// Run quantizes tensor by tensor, so that memory holds one at a time.
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
	defer j.progress.end()

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
	files.close() // OUT may take the place of it
	return j.out.Commit()
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
		groups, err := j.Spec.Granularity.Groups(info.Shape, quant.Weight)
		if info.Elements() == 0 || errors.Is(err, quant.ErrDisabled) {
			l.add(info.Name, info.DType, info.Shape)
			continue
		}
		if err != nil {
			return nil, nil, inTensor(j.in, info.Name, err)
		}
		r := record{Spec: &j.Spec.Spec, DType: info.DType.String(), Shape: append([]int{}, info.Shape...), Packed: j.Pack && j.Spec.DType.Bits() < 8}
		dtype, shape := r.stored()
		if n := len(shape); dtype == safetensors.F4 && (n == 0 || shape[n-1]%2 != 0) {
			return nil, nil, refuse(j.in, info.Name, "has the shape %v, want an even last axis, as float4 is packed in pairs", shape)
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

// quantizeTensor writes a tensor's codes and parameters; a tensor whose quantizer is disabled, or that is empty, passes unchanged.
func quantizeTensor[T kernels.Float](j *quantizeJob, info safetensors.Info) error {
	q, err := quant.New[T](j.Spec.Spec, quant.Weight)
	if err != nil {
		return inTensor(j.in, info.Name, err)
	}
	q.Name, q.Workers, q.Logger = info.Name, j.workers, j.log
	x, err := readFloats[T](j.stream, j.in, info.Name, &j.x)
	if err != nil {
		return err
	}
	if len(x.Data) == 0 {
		return nil
	}
	codes := quant.Codes{Packed: j.Pack}
	if codes.Data, err = lend[uint8](&j.codes, int64(len(x.Data))); err != nil {
		return inTensor(j.in, info.Name, err)
	}
	switch err := q.Quantize(&codes, x); {
	case errors.Is(err, quant.ErrDisabled):
		return write(j.stream, j.out, info.Name, x.Data)
	case err != nil:
		return inTensor(j.in, info.Name, err)
	}
	if err := write(j.stream, j.out, info.Name, codes.Data); err != nil {
		return err
	}
	return writeParameters(j.stream, j.out, info.Name, j.Spec.DType, codes.Params)
}
