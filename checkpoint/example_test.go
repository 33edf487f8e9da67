package checkpoint_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/checkpoint"
)

// A row of a weight that compressed-tensors has quantized to four bits.
func ExampleReadRows() {
	c, err := checkpoint.Open("testdata/ct/W4A16")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	w, ok := c.Lookup("model.layers.0.mlp.down_proj.weight")
	if !ok {
		log.Fatal("no such tensor")
	}
	row := make([]bf16.BFloat16, w.RowLen())
	if err := checkpoint.ReadRows(w, row, 17); err != nil {
		log.Fatal(err)
	}
	fmt.Println(w.Shape(), w.Scheme())
	fmt.Println(row[:4])
	// Output:
	// [128 256] compressed-tensors pack-quantized, 4 bits, groups of 1x128
	// [0.13085938 0 0 -0.018676758]
}

// A folder that vLLM loads.
func ExamplePlan_WriteFolder() {
	dir, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c, err := checkpoint.Open("testdata/ct/source")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	job, err := checkpoint.NewCompressedTensors("fp8-dynamic", nil, "")
	if err != nil {
		log.Fatal(err)
	}
	plan, err := checkpoint.NewPlan(c, job, 1<<20)
	if err != nil {
		log.Fatal(err)
	}
	if err := plan.WriteFolder(context.Background(), filepath.Join(dir, "fp8"), checkpoint.WriteOptions{Workers: 2}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Converted(), "of", len(plan.Changes), "tensors,", plan.Before, "to", plan.After, "bytes")
	// Output: 7 of 12 tensors, 312064 to 166656 bytes
}
