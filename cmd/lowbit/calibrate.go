package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// calibrateCommand is lowbit calibrate: what quantizers learn of batches of named tensors, without quantizing them.
type calibrateCommand struct {
	Spec       specFlag `placeholder:"JSON" xor:"what" required:"" help:"Observe as quantizers of this spec do: JSON, or @FILE."`
	Ranges     bool     `xor:"what" required:"" help:"Keep the least and the greatest element of all batches: the state of the calculator global_minmax."`
	Histogram  bool     `xor:"what" required:"" help:"Count elements by value: the state of the calculator histogram."`
	Importance bool     `xor:"what" required:"" help:"Keep the mean square of each column, for --imatrix."`
	Target     string   `default:"activation" enum:"weight,activation" help:"What the tensors are: weight or activation."`
	selection  `embed:""`
	Output     string   `short:"o" required:"" placeholder:"STATE" help:"File to write."`
	In         []string `arg:"" name:"IN" help:"Batches, in their order. A tensor that a batch lacks is not observed there."`
}

// specs of what has no spec of its own.
const (
	rangesSpec    = `{"qparam_calculator_cls":"global_minmax"}`
	histogramSpec = `{"qparam_calculator_cls":"histogram"}`
)

// learner is what is known of a tensor.
type learner interface {
	observe(j *fakeQuantJob, in *safetensors.File, info safetensors.Info) error
	state() quant.State
}

// Run observes batch after batch.
func (c *calibrateCommand) Run(t *tool) error {
	spec := c.Spec.Spec
	for json, chosen := range map[string]bool{rangesSpec: c.Ranges, histogramSpec: c.Histogram} {
		if !chosen {
			continue
		}
		var err error
		if spec, err = quant.ParseSpec([]byte(json)); err != nil {
			return err
		}
	}
	target, err := quant.ParseTarget(c.Target)
	if err != nil {
		return err
	}
	if err := quantizers.Check(spec, target); err != nil {
		return usagef("--spec: %w", plain(err))
	}
	if spec.Calculator.Name == "dynamic" {
		return usagef("--spec: qparam_calculator_cls is dynamic, which has no state: want another calculator")
	}
	if err := checkPlace(c.Output); err != nil {
		return err
	}

	j := &fakeQuantJob{fakeQuantCommand: &fakeQuantCommand{}, log: newLogger(t.stderr), target: target}
	j.Spec.Spec = spec
	learners := make(map[string]learner)
	begun, bytes := time.Now(), int64(0)
	for _, path := range c.In {
		n, err := c.observe(t, j, learners, path)
		if err != nil {
			return err
		}
		bytes += n
	}
	if len(learners) == 0 {
		j.log.Warn("no tensor is selected")
	}
	all := make(states)
	for name, l := range learners {
		all[name] = l.state()
	}
	w, err := all.create(c.Output)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Seal(); err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	fmt.Fprintf(t.stdout, "calibrate: %d bytes of %s in %s, in %.3g s\n", bytes, tensorCount(len(learners)), counted(len(c.In), "file"), time.Since(begun).Seconds())
	return nil
}

// observe reads a batch, and returns how many bytes were observed.
func (c *calibrateCommand) observe(t *tool, j *fakeQuantJob, learners map[string]learner, path string) (bytes int64, err error) {
	var files files
	defer files.close()
	in := files.open(path)
	if files.err != nil {
		return 0, files.err
	}
	var selected []safetensors.Info
	for _, info := range in.Tensors() {
		if checkpoint.Quantizable(info.DType) && c.selects(info.Name) {
			if err := checkRank(in, info); err != nil {
				return 0, err
			}
			selected = append(selected, info)
			bytes += info.Size
		}
	}
	j.stream = t.newStream("calibrate "+printable(path), bytes, 0)
	defer j.end()
	for _, info := range selected {
		l := learners[info.Name]
		if l == nil {
			switch info.DType {
			case safetensors.F32:
				l, err = newLearner[float32](c, j, in, info)
			case safetensors.F16:
				l, err = newLearner[float16.Float16](c, j, in, info)
			default:
				l, err = newLearner[bf16.BFloat16](c, j, in, info)
			}
			if err != nil {
				return 0, err
			}
			learners[info.Name] = l
		}
		if err := l.observe(j, in, info); err != nil {
			return 0, err
		}
	}
	return bytes, j.wait()
}

func newLearner[T kernels.Float](c *calibrateCommand, j *fakeQuantJob, in *safetensors.File, info safetensors.Info) (learner, error) {
	if c.Importance {
		return &importanceLearner[T]{info.DType, quantizers.NewImportance[T]()}, nil
	}
	q, err := quantizers.New[T](j.Spec.Spec, j.target, quantizers.Options{Name: info.Name, Logger: j.log})
	if err != nil {
		return nil, inTensor(in, info.Name, err)
	}
	return &quantizerLearner[T]{fakeQuantTensor[T]{info: info, q: q}}, nil
}

// quantizerLearner observes as a quantizer does.
type quantizerLearner[T kernels.Float] struct{ fakeQuantTensor[T] }

func (l *quantizerLearner[T]) observe(j *fakeQuantJob, in *safetensors.File, info safetensors.Info) error {
	if info.DType != l.info.DType {
		return refuse(in, info.Name, "is %v, but %v in an earlier batch", info.DType, l.info.DType)
	}
	return l.fakeQuantTensor.observe(j, in)
}

func (l *quantizerLearner[T]) state() quant.State { return l.q.State() }

// importanceLearner keeps the mean square of each column.
type importanceLearner[T kernels.Float] struct {
	dtype safetensors.DType
	seen  quantizers.Importance[T]
}

// observe adds the rows of a tensor in their order, some at a time.
func (l *importanceLearner[T]) observe(j *fakeQuantJob, in *safetensors.File, info safetensors.Info) error {
	if info.DType != l.dtype {
		return refuse(in, info.Name, "is %v, but %v in an earlier batch", info.DType, l.dtype)
	}
	if info.Elements() == 0 {
		return nil
	}
	dims := info.Shape.Dims()
	columns := 1
	if len(dims) > 0 {
		columns = dims[len(dims)-1]
	}
	rows := max(1, pieceLen[T]()/columns)
	x := make([]T, min(rows*columns, info.Elements()))
	for first := 0; first < info.Elements(); first += len(x) {
		if err := j.ctx.Err(); err != nil {
			return errInterrupted
		}
		part := x[:min(len(x), info.Elements()-first)]
		if err := get(j.stream, in, info.Name, part, int64(first)*sizeOf[T]()); err != nil {
			return err
		}
		err := l.seen.Add(quant.Tensor[T]{Data: part, Shape: []int{len(part) / columns, columns}})
		if errors.Is(err, quant.ErrShape) {
			return refuse(in, info.Name, "has %d columns, but another number in an earlier batch", columns)
		}
		if err != nil {
			return inTensor(in, info.Name, err)
		}
	}
	return nil
}

func (l *importanceLearner[T]) state() quant.State { return l.seen.State() }
