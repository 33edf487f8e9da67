package gguf_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/lowbit-go/lowbit/gguf"
)

// A row of 256 weights becomes a block of 144 bytes, and weights again.
func ExampleQuantize() {
	x := make([]float32, 256)
	for i := range x {
		x[i] = float32(i%16) / 16
	}
	b := gguf.Blocks{Type: gguf.Q4_K}
	blocks := make([]byte, b.Type.Bytes(len(x)))
	gguf.Quantize(blocks, x, b)
	gguf.Dequantize(x, blocks, b)
	fmt.Printf("%d bytes, %.3f %.3f %.3f\n", len(blocks), x[0], x[1], x[15])
	// Output: 144 bytes, 0.000 0.062 0.937
}

// A file with a matrix of two rows in blocks of Q8_0 is written, and one of its rows read.
func ExampleCreate() {
	path := filepath.Join(os.TempDir(), "example.gguf")
	defer os.Remove(path)
	metadata := []gguf.KV{{Key: "general.architecture", Value: "example"}}
	w, err := gguf.Create(path, metadata, []gguf.Info{{Name: "blk.0.weight", Type: gguf.Q8_0, Shape: []int{2, 32}}})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	x := make([]float32, 64)
	for i := range x {
		x[i] = float32(i)
	}
	blocks := make([]byte, gguf.Q8_0.Bytes(len(x)))
	gguf.Quantize(blocks, x, gguf.Blocks{Type: gguf.Q8_0})
	if err := w.WriteTensor("blk.0.weight", blocks, 0); err != nil {
		log.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		log.Fatal(err)
	}

	f, err := gguf.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, info := range f.Tensors() {
		fmt.Println(info.Name, info.Type, info.Shape, info.Size)
	}
	row := make([]float32, 32)
	if err := f.Row(row, "blk.0.weight", 1); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f %.0f\n", row[0], row[31])
	// Output:
	// blk.0.weight Q8_0 [2 32] 68
	// 32 63
}

// A model becomes another with half the bits, in a few lines.
func ExampleConvert() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.gguf")
	w, err := gguf.Create(path, []gguf.KV{{Key: "general.architecture", Value: "llama"}}, []gguf.Info{{Name: "output.weight", Type: gguf.F16, Shape: []int{16, 256}}})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.WriteTensor("output.weight", make([]byte, 16*256*2), 0); err != nil {
		log.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		log.Fatal(err)
	}

	src, err := gguf.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	preset, err := gguf.ParsePreset("q4_k_m")
	if err != nil {
		log.Fatal(err)
	}
	c := gguf.Conversion{Metadata: preset.Metadata(src.Metadata(), nil), Types: preset.Types(src.Tensors(), gguf.ModelOf(src)), Workers: 2}
	out := filepath.Join(dir, "model-q4_k_m.gguf")
	if err := gguf.Convert(context.Background(), out, src, c); err != nil {
		log.Fatal(err)
	}
	f, err := gguf.Open(out)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, info := range f.Tensors() {
		fmt.Println(info.Name, info.Type, info.Size)
	}
	// Output: output.weight Q6_K 3360
}
