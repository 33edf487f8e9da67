package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/safetensors"
)

// dequantizeCommand is lowbit dequantize: the plain model of one that is quantized, whatever by.
type dequantizeCommand struct {
	DType     *string `name:"dtype" enum:"f32,f16,bf16" placeholder:"TYPE" help:"Type of the tensors: f32, f16 or bf16; by default the model's, or what each was."`
	selection `embed:""`
	Restart   bool   `help:"Begin a folder anew, whatever an earlier run has left, as a file is always begun."`
	Output    string `short:"o" required:"" placeholder:"OUT" help:"File or folder to write."`
	In        string `arg:"" name:"IN" help:"File, index or folder to read."`
}

// Run dequantizes piece by piece, so that memory holds a few of them at a time.
func (c *dequantizeCommand) Run(t *tool) error {
	job := checkpoint.Dequantization{Name: c.names().String()}
	if !c.names().None() {
		job.Select = func(t *checkpoint.Tensor) bool { return c.selects(t.Name()) }
	}
	if c.DType != nil {
		var err error
		if job.DType, err = safetensors.ParseDType(strings.ToUpper(*c.DType)); err != nil {
			return err
		}
	}
	in, err := open(c.In)
	if err != nil {
		return err
	}
	defer in.Close()
	if in.Method() == "" && in.Kind() != checkpoint.GGUF && !slices.ContainsFunc(in.Shards(), writtenByLowbit) {
		return &safetensors.Error{File: in.Path(), Err: fmt.Errorf("is not quantized: neither __metadata__ nor a config.json beside it says how it was, nor the names of its tensors")}
	}
	plan, err := checkpoint.NewPlan(in, job, pieceSize)
	if err != nil {
		return err
	}
	left := 0
	for _, change := range plan.Changes {
		if change.Converted && len(change.Outputs) == 0 {
			left++
		}
	}
	if left > 0 {
		newLogger(t.stderr).Warn("safetensors have no blocks: those that are not selected are left out", "tensors", left)
	}
	write := t.newWriting("dequantize", c.Output, plan)
	write.folder = inFolder(in)
	write.restart = c.Restart
	return write.run(func() {})
}

// writtenByLowbit tells whether a file has records, be they of no tensor.
func writtenByLowbit(f *safetensors.File) bool {
	_, ok := f.Metadata()[checkpoint.RecordsKey]
	return ok
}
