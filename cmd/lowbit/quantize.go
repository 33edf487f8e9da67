package main

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/nonfinite"
	"github.com/lowbit-go/lowbit/safetensors"
)

// quantizeCommand is lowbit quantize: codes and parameters in the place of weights.
type quantizeCommand struct {
	choice        `embed:""`
	To            *string `enum:"lowbit,gguf,compressed-tensors" placeholder:"FORMAT" help:"What to write: lowbit, gguf or compressed-tensors; by default gguf if IN is one, else what the preset is for."`
	selection     `embed:""`
	nonFiniteFlag `embed:""`
	Pack          bool     `help:"Pack codes of less than a byte, as presets do, and gguf."`
	Pure          bool     `help:"To gguf: the same type for every tensor that is quantized, as it is elsewhere."`
	IMatrix       fileFlag `name:"imatrix" placeholder:"FILE" help:"Importance matrix, of llama.cpp or of calibrate: to gguf, and for the range calculator mse."`
	Report        fileFlag `placeholder:"FILE.html" help:"Write a page that holds what was made against IN, as compare does."`
	DryRun        bool     `help:"Show what each tensor would become, and write nothing."`
	Restart       bool     `help:"Begin a folder anew, whatever an earlier run has left, as a file is always begun."`
	Output        *string  `short:"o" placeholder:"OUT" help:"File or folder to write."`
	In            string   `arg:"" name:"IN" help:"File, index or folder to read."`
}

// Run plans what becomes of each tensor, and carries it out.
func (c *quantizeCommand) Run(t *tool) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Output == nil && !c.DryRun {
		return usagef("missing flags: --output=OUT")
	}
	to := c.writes()
	if !c.DryRun {
		if err := checkReport(c.Report, c.In, *c.Output); err != nil {
			return err
		}
	}
	if to == toGGUF {
		return c.toGGUF(t)
	}
	if c.IMatrix != "" && to == toCT {
		return usagef("--imatrix: is for --to gguf, and for the range calculator mse of --to lowbit")
	}
	in, err := open(c.In)
	if err != nil {
		return err
	}
	defer in.Close()
	if method := in.Method(); method != "" {
		return &safetensors.Error{File: in.Path(), Err: fmt.Errorf("is quantized already, by %s: dequantize it first", method)}
	}
	odd := &oddTensors{nonFiniteFlag: &c.nonFiniteFlag, of: map[*checkpoint.Tensor]*oddities{}}
	weights, err := c.weights()
	if err != nil {
		return err
	}
	job, err := c.job(t, to, odd, weights)
	if err != nil {
		return err
	}
	plan, err := checkpoint.NewPlan(in, job, pieceSize)
	if err != nil {
		return err
	}
	if err := weights.check(); err != nil {
		return err
	}
	log := newLogger(t.stderr)
	warnOfPlan(log, plan)
	weights.warn(log)
	if !odd.any && plan.Converted() == 0 {
		log.Warn("no tensor is selected", "file", in.Path())
	}
	if c.DryRun {
		return dryRun(t, plan)
	}
	write := t.newWriting("quantize", *c.Output, plan)
	write.folder = to == toCT || inFolder(in)
	write.restart = c.Restart
	write.watch = newWatch(c.Report, modelOf(in))
	if err := write.run(func() { odd.warn(log, plan) }); err != nil {
		return err
	}
	return write.watch.report(t, *c.Output, c.Report)
}

// writes tells what is written: what --to says, a GGUF where IN is one, else what the preset is for.
func (c *quantizeCommand) writes() string {
	switch {
	case c.To != nil:
		return *c.To
	case isGGUF(c.In):
		return toGGUF
	}
	return c.to()
}

// job is what the command does to safetensors.
func (c *quantizeCommand) job(t *tool, to string, odd *oddTensors, weights *weights) (checkpoint.Job, error) {
	name := fmt.Sprintf("%s preset %q spec %v recipe %q pack %v non-finite %s %s", to, c.Preset, c.Spec.Spec, c.Recipe.text, c.Pack, c.NonFinite, c.names())
	if to == toCT {
		preset, selected, err := c.forCT(&c.selection)
		if err != nil {
			return nil, err
		}
		return checkpoint.NewCompressedTensors(preset, selected, name)
	}
	choose, err := c.forLowbit(&c.selection, c.Pack)
	if err != nil {
		return nil, err
	}
	name += weights.text()
	noting := func(t *checkpoint.Tensor) *checkpoint.Choice {
		choice := weights.give(t, choose(t))
		odd.any = odd.any || choice != nil
		return choice
	}
	return &checkpoint.Quantization{Choose: noting, Name: name, NonFinite: odd.found, Stop: t.interrupted}, nil
}

// interrupted is an error once the user has interrupted.
func (t *tool) interrupted() error {
	if t.ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// oddTensors are those in which not all elements are finite.
type oddTensors struct {
	*nonFiniteFlag
	any bool // tensor is selected
	mu  sync.Mutex
	of  map[*checkpoint.Tensor]*oddities
}

// found is told of a piece of one.
func (o *oddTensors) found(t *checkpoint.Tensor, nans, infinities, first int) error {
	if o.NonFinite == "error" {
		err := fmt.Errorf("element %d is %s, and --non-finite is error", first, nonfinite.Name(nans, infinities))
		return &safetensors.Error{File: t.Parts()[0].File.Name(), Tensor: t.Name(), Err: err}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	count := o.of[t]
	if count == nil {
		count = new(oddities)
		o.of[t] = count
	}
	count.nans.Add(int64(nans))
	count.infinities.Add(int64(infinities))
	return nil
}

// warn says what is not finite, in the order of the plan.
func (o *oddTensors) warn(log *slog.Logger, plan *checkpoint.Plan) {
	for _, change := range plan.Changes {
		if count := o.of[change.Tensor]; count != nil {
			count.warn(log, change.Tensor.Name())
		}
	}
}

// warnOfPlan says which tensors are kept although they were selected.
func warnOfPlan(log *slog.Logger, plan *checkpoint.Plan) {
	for _, change := range plan.Changes {
		if change.Kept != "" {
			log.Warn(change.Kept, "tensor", change.Tensor.Name(), "shape", shapeText(change.Tensor.Shape()))
		}
	}
}

// dryRun prints what would become of the tensors.
func dryRun(t *tool, plan *checkpoint.Plan) error {
	list := newTable(t.stdout, column{head: "TENSOR", most: 68}, column{head: "DTYPE", most: 12}, column{head: "SHAPE", most: 26}, column{head: "BECOMES", most: 46},
		column{head: ">BYTES BEFORE", most: 18}, column{head: ">AFTER", most: 18})
	for _, c := range plan.Changes {
		becomes := "kept"
		switch {
		case c.Kept != "":
			becomes = "kept: " + c.Kept
		case c.Converted:
			becomes = c.Outputs[0].DType.String()
			for _, o := range c.Outputs[1:] {
				becomes += " " + o.DType.String()
			}
		}
		list.add(printable(c.Tensor.Name()), c.Tensor.DType().String(), c.Tensor.Parts()[0].Shape.String(), becomes, fmt.Sprint(c.Before), fmt.Sprint(c.After))
	}
	if err := list.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.stdout, "\n%d bytes would become %d; nothing is written\n", plan.Before, plan.After)
	return err
}
