package main

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/safetensors"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// fakeQuantCommand is lowbit fakequant: successive forward passes of a quantizer for each tensor.
type fakeQuantCommand struct {
	Spec      specFlag `required:"" placeholder:"JSON" help:"How to quantize: JSON, or @FILE."`
	Target    string   `default:"weight" enum:"weight,activation" help:"What the tensors are: weight or activation."`
	selection `embed:""`
	Mask      string   `default:"byte" enum:"byte,bit,none" help:"What T.mask is: byte, bit or none."`
	Grad      string   `placeholder:"FILE" help:"Gradients under the tensors' names; T.grad is what passes of them."`
	StateIn   string   `placeholder:"FILE" help:"State of the quantizers to begin with."`
	StateOut  string   `placeholder:"FILE" help:"Where to write the state of the quantizers after the last pass."`
	Output    string   `short:"o" required:"" placeholder:"OUT" help:"File to write."`
	In        []string `arg:"" name:"IN" help:"Files to read, a forward pass each; OUT has the tensors of the last."`
}

// fakeQuantJob is the command at work.
type fakeQuantJob struct {
	*fakeQuantCommand
	*stream
	log      *slog.Logger
	target   quant.Target
	mask     quant.MaskKind
	inputs   []*safetensors.File
	last     *safetensors.File // of inputs
	grad     *safetensors.File // nil without --grad
	stateIn  *safetensors.File // nil without --state-in
	stateOut states            // nil without --state-out
	out      *safetensors.Writer
	x, masks memory
}

// fakeQuantPlace is what a selected tensor passes through, in one element type or another.
type fakeQuantPlace interface {
	layOut(j *fakeQuantJob, l *layout) error
	run(j *fakeQuantJob) error
}

// Run does the passes tensor by tensor, so that memory holds one at a time.
func (c *fakeQuantCommand) Run(t *tool) error {
	j := &fakeQuantJob{fakeQuantCommand: c, log: newLogger(t.stderr)}
	j.mask = map[string]quant.MaskKind{"byte": quant.ByteMask, "bit": quant.BitMask, "none": quant.NoMask}[c.Mask]
	var err error
	if j.target, err = quant.ParseTarget(c.Target); err != nil {
		return err
	}
	if _, err := quant.New[float32](c.Spec.Spec, j.target); err != nil {
		return usagef("--spec: %w", plain(err))
	}
	if c.StateOut != "" && sameFile(c.StateOut, c.Output) {
		return usagef("--state-out: is %s, want another file than OUT", c.StateOut)
	}

	var files files
	defer files.close()
	for _, path := range c.In {
		j.inputs = append(j.inputs, files.open(path))
	}
	j.last = j.inputs[len(j.inputs)-1]
	if c.Grad != "" {
		j.grad = files.open(c.Grad)
	}
	if c.StateIn != "" {
		j.stateIn = files.open(c.StateIn)
	}
	if files.err != nil {
		return files.err
	}

	l := &layout{in: j.last}
	places, err := j.layOut(l)
	if err != nil {
		return err
	}
	if c.StateOut != "" {
		if err := checkPlace(c.StateOut); err != nil {
			return err
		}
		j.stateOut = make(states)
	}
	if j.out, err = safetensors.Create(c.Output, j.last.Metadata(), l.tensors); err != nil {
		return err
	}
	defer j.out.Close()
	j.stream = t.newStream("fakequant", j.out, files.list...)
	defer j.end()

	for _, info := range j.last.Tensors() {
		if p := places[info.Name]; p != nil {
			err = p.run(j)
		} else {
			err = j.copy(j.out, j.last, info)
		}
		if err != nil {
			return err
		}
	}
	if c.StateOut == "" {
		return j.commit(&files, j.out)
	}
	state, err := j.stateOut.create(c.StateOut)
	if err != nil {
		return err
	}
	defer state.Close()
	return j.commit(&files, j.out, state)
}

// layOut finds the selected tensors, holds the inputs against one another, and lays OUT out.
func (j *fakeQuantJob) layOut(l *layout) (map[string]fakeQuantPlace, error) {
	earlier, err := readRecords(j.last)
	if err != nil {
		return nil, err
	}
	places := make(map[string]fakeQuantPlace)
	for _, info := range j.last.Tensors() {
		if !j.selects(info, earlier) {
			l.add(info.Name, info.DType, info.Shape)
			continue
		}
		var p fakeQuantPlace
		switch info.DType {
		case safetensors.F32:
			p, err = newFakeQuantPlace[float32](j, info)
		case safetensors.F16:
			p, err = newFakeQuantPlace[float16.Float16](j, info)
		case safetensors.BF16:
			p, err = newFakeQuantPlace[bf16.BFloat16](j, info)
		}
		if err == nil {
			err = p.layOut(j, l)
		}
		if err != nil {
			return nil, err
		}
		places[info.Name] = p
	}
	for _, in := range j.inputs[:len(j.inputs)-1] {
		for _, info := range in.Tensors() {
			if j.selects(info, nil) && places[info.Name] == nil {
				return nil, refuse(in, info.Name, "%s has no such tensor to quantize", j.last.Name())
			}
		}
	}
	if len(places) == 0 {
		j.log.Warn("no tensor is selected", "file", j.last.Name())
	}
	return places, nil
}

// fakeQuantTensor is a fakeQuantPlace.
type fakeQuantTensor[T kernels.Float] struct {
	info  safetensors.Info // in the last input
	q     *quant.FakeQuantizer[T]
	alone bool // the tensor will pass unchanged, and nothing is written beside it
}

func newFakeQuantPlace[T kernels.Float](j *fakeQuantJob, info safetensors.Info) (fakeQuantPlace, error) {
	q, err := quant.New[T](j.Spec.Spec, j.target)
	if err != nil {
		return nil, inTensor(j.last, info.Name, err)
	}
	q.Name, q.Logger = info.Name, j.log
	if j.stateIn != nil {
		state, err := readState(j.stateIn, info.Name)
		if err != nil {
			return nil, err
		}
		if err := q.LoadState(state); err != nil {
			return nil, inTensor(j.stateIn, info.Name, err)
		}
	}
	return &fakeQuantTensor[T]{info: info, q: q}, nil
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
		if disabled || info.Elements() == 0 {
			continue
		}
		var err error
		groups, err = j.Spec.Granularity.Groups(info.Shape, j.target)
		if disabled = errors.Is(err, quant.ErrDisabled); err != nil && !disabled {
			return inTensor(in, name, err)
		}
	}
	l.add(name, f.info.DType, f.info.Shape)
	if f.alone = disabled || !f.q.FakeQuantEnabled() || f.info.Elements() == 0; f.alone {
		return nil
	}
	if j.mask != quant.NoMask {
		shape := f.info.Shape
		if j.mask == quant.BitMask {
			shape = []int{kernels.BitMaskLen(f.info.Elements())}
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
	case !slices.Equal(grad.Shape, f.info.Shape):
		return refuse(j.grad, name, "has the shape %v, but %v in %s", grad.Shape, f.info.Shape, j.last.Name())
	}
	return l.beside(name, gradSuffix, grad.DType, grad.Shape)
}

// run does the passes. The last is done in place.
func (f *fakeQuantTensor[T]) run(j *fakeQuantJob) error {
	name := f.info.Name
	f.q.Workers = j.workers
	for _, in := range j.inputs[:len(j.inputs)-1] {
		x, err := readFloats[T](j.stream, in, name, &j.x)
		if err != nil {
			return err
		}
		if err := f.q.Observe(x); err != nil {
			return inTensor(in, name, err)
		}
	}
	x, err := readFloats[T](j.stream, j.last, name, &j.x)
	if err != nil {
		return err
	}
	mask := quant.Mask{Kind: j.mask}
	if j.grad != nil && mask.Kind == quant.NoMask {
		mask.Kind = quant.BitMask // for the gradient alone
	}
	if mask.Data, err = lend[uint8](&j.masks, int64(len(x.Data))); err != nil {
		return inTensor(j.last, name, err)
	}
	if err := f.q.FakeQuantize(&x, x, &mask); err != nil {
		return inTensor(j.last, name, err)
	}
	if err := write(j.stream, j.out, name, x.Data); err != nil {
		return err
	}
	if j.stateOut != nil {
		j.stateOut[name] = f.q.State()
	}
	if f.alone {
		return nil
	}
	if j.mask != quant.NoMask {
		if err := write(j.stream, j.out, name+maskSuffix, mask.Data); err != nil {
			return err
		}
	}
	p, err := f.q.Params()
	if err != nil {
		return inTensor(j.last, name, err)
	}
	if err := putParameters(j.stream, j.out, name, j.Spec.DType, p, 0); err != nil || j.grad == nil {
		return err
	}
	dy, err := readFloats[T](j.stream, j.grad, name, &j.x)
	if err != nil {
		return err
	}
	if err := f.q.Backward(&dy, dy, mask); err != nil {
		return inTensor(j.grad, name, err)
	}
	return write(j.stream, j.out, name+gradSuffix, dy.Data)
}
