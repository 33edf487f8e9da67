package main

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/quantizers"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// fakeQuantCommand is lowbit fakequant: successive forward passes of a quantizer for each tensor.
type fakeQuantCommand struct {
	Spec          specFlag `required:"" placeholder:"JSON" help:"How to quantize: JSON, or @FILE."`
	Target        string   `default:"weight" enum:"weight,activation" help:"What the tensors are: weight or activation."`
	selection     `embed:""`
	nonFiniteFlag `embed:""`
	Mask          string   `default:"byte" enum:"byte,bit,none" help:"What T.mask is: byte, bit or none."`
	Grad          fileFlag `placeholder:"FILE" help:"Gradients under the tensors' names; T.grad is what passes of them."`
	StateIn       fileFlag `placeholder:"FILE" help:"State of the quantizers to begin with."`
	StateOut      fileFlag `placeholder:"FILE" help:"Where to write the state of the quantizers after the last pass."`
	Restart       bool     `help:"Begin a folder anew, whatever an earlier run has left, as a file is always begun."`
	Output        string   `short:"o" required:"" placeholder:"OUT" help:"File or folder to write."`
	In            []string `arg:"" name:"IN" help:"Files to read, a forward pass each; OUT has the tensors of the last. Or one folder, index, GGUF or checkpoint that is quantized."`
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
}

// fakeQuantPlace is what a selected tensor passes through, in one element type or another.
type fakeQuantPlace interface {
	layOut(j *fakeQuantJob, l *layout) error
	run(j *fakeQuantJob) error
	warn(log *slog.Logger)
}

// Run does the passes tensor by tensor and piece by piece, so that memory holds a few of them at a time, and the tensor's parameters.
func (c *fakeQuantCommand) Run(t *tool) error {
	j := &fakeQuantJob{fakeQuantCommand: c, log: newLogger(t.stderr)}
	j.mask = maskKinds[c.Mask]
	var err error
	if j.target, err = quant.ParseTarget(c.Target); err != nil {
		return err
	}
	if err := c.check(j.target); err != nil {
		return err
	}
	if len(c.In) == 1 {
		if done, err := c.checkpoint(t, j.target); done || err != nil {
			return err
		}
	}

	var files files
	defer files.close()
	for _, path := range c.In {
		j.inputs = append(j.inputs, files.open(path))
	}
	j.last = j.inputs[len(j.inputs)-1]
	if c.Grad != "" {
		j.grad = files.open(string(c.Grad))
	}
	if c.StateIn != "" {
		j.stateIn = files.open(string(c.StateIn))
	}
	if files.err != nil {
		return files.err
	}

	l := &layout{in: j.last, taken: inFile(j.last)}
	places, err := j.layOut(l)
	if err != nil {
		return err
	}
	if c.StateOut != "" {
		if err := checkPlace(string(c.StateOut)); err != nil {
			return err
		}
		j.stateOut = make(states)
	}
	if j.out, err = safetensors.Create(c.Output, j.last.Metadata(), l.tensors); err != nil {
		return err
	}
	defer j.out.Close()
	before := int64(0)
	for _, f := range files.list {
		before += size(f.Tensors())
	}
	j.stream = t.newStream("fakequant", before, size(j.out.Tensors()))
	defer j.end()

	if err := j.passes(places); err != nil {
		return err
	}
	if c.StateOut == "" {
		return j.commit(&files, j.out)
	}
	state, err := j.stateOut.create(string(c.StateOut))
	if err != nil {
		return err
	}
	defer state.Close()
	return j.commit(&files, j.out, state)
}

// passes does those of the tensors that are selected, and copies the others.
func (j *fakeQuantJob) passes(places map[string]fakeQuantPlace) error {
	for _, info := range j.last.Tensors() {
		var err error
		if p := places[info.Name]; p != nil {
			err = p.run(j)
		} else {
			err = j.copy(j.out, j.last, info)
		}
		if err != nil {
			return err
		}
	}
	if err := j.wait(); err != nil {
		return err
	}
	for _, info := range j.last.Tensors() {
		if p := places[info.Name]; p != nil {
			p.warn(j.log)
		}
	}
	return nil
}

// check refuses a spec that no quantizer has, and a state in the place of another file.
func (c *fakeQuantCommand) check(target quant.Target) error {
	if err := quantizers.Check(c.Spec.Spec, target); err != nil {
		return usagef("--spec: %w", plain(err))
	}
	if c.StateOut == "" {
		return nil
	}
	if sameFile(string(c.StateOut), c.Output) {
		return usagef("--state-out: is %s, want another file than OUT", c.StateOut)
	}
	for _, in := range c.In {
		if sameFile(string(c.StateOut), in) {
			return usagef("--state-out: is %s, want another file than IN", c.StateOut)
		}
	}
	return nil
}

// maskKinds are the values of --mask.
var maskKinds = map[string]quant.MaskKind{"byte": quant.ByteMask, "bit": quant.BitMask, "none": quant.NoMask}

// checkpoint does a pass over all tensors of a checkpoint that is more than a file of plain tensors. It tells whether it is.
func (c *fakeQuantCommand) checkpoint(t *tool, target quant.Target) (done bool, err error) {
	in, err := open(c.In[0])
	if err != nil {
		return false, err
	}
	defer in.Close()
	method := in.Method()
	plain, alone := in.Kind() == checkpoint.File && (method == "" || method == "lowbit"), c.Grad == "" && c.StateIn == "" && c.StateOut == ""
	if plain && !alone {
		return false, nil
	}
	for _, flag := range []struct {
		name string
		file fileFlag
	}{{"--grad", c.Grad}, {"--state-in", c.StateIn}, {"--state-out", c.StateOut}} {
		if flag.file != "" {
			return false, usagef("%s: is for safetensors files that are not quantized, %s is none", flag.name, c.In[0])
		}
	}
	odd := &oddTensors{nonFiniteFlag: &c.nonFiniteFlag, of: map[*checkpoint.Tensor]*oddities{}}
	plan, err := checkpoint.NewPlan(in, &checkpoint.FakeQuantization{
		Spec: c.Spec.Spec, Target: target, Mask: maskKinds[c.Mask], Select: func(t *checkpoint.Tensor) bool { return c.selects(t.Name()) },
		Name: fmt.Sprintf("spec %v target %s mask %s non-finite %s %s", c.Spec.Spec, c.Target, c.Mask, c.NonFinite, c.names()), NonFinite: odd.found, Stop: t.interrupted,
	}, pieceSize)
	if err != nil {
		return false, err
	}
	log := newLogger(t.stderr)
	warnOfPlan(log, plan)
	if !slices.ContainsFunc(plan.Changes, func(c checkpoint.Change) bool { return c.Converted || c.Kept != "" }) {
		log.Warn("no tensor is selected", "file", in.Path())
	}
	write := t.newWriting("fakequant", c.Output, plan)
	write.folder = inFolder(in)
	write.restart = c.Restart
	return true, write.run(func() { odd.warn(log, plan) })
}

// layOut finds the selected tensors, holds the inputs against one another, and lays OUT out.
func (j *fakeQuantJob) layOut(l *layout) (map[string]fakeQuantPlace, error) {
	earlier, err := checkpoint.ReadRecords(j.last)
	if err != nil {
		return nil, err
	}
	places := make(map[string]fakeQuantPlace)
	for _, info := range j.last.Tensors() {
		if !checkpoint.Quantizable(info.DType) || earlier.Companion(info.Name) || !j.selects(info.Name) {
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
			if checkpoint.Quantizable(info.DType) && j.selects(info.Name) && places[info.Name] == nil {
				return nil, refuse(in, info.Name, "%s has no such tensor to quantize", j.last.Name())
			}
		}
	}
	if len(places) == 0 {
		j.log.Warn("no tensor is selected", "file", j.last.Name())
	}
	return places, nil
}
