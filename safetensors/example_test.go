package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/lowbit-go/lowbit/safetensors"
)

func Example() {
	dir, err := os.MkdirTemp("", "safetensors")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")

	out, err := safetensors.Create(path, map[string]string{"format": "pt"}, []safetensors.Info{
		{Name: "w", DType: safetensors.I8, Shape: safetensors.ShapeOf(2, 3)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer out.Close()
	if err := out.WriteTensor("w", []byte{4, 5, 6}, 3); err != nil { // the second row
		log.Fatal(err)
	}
	if err := out.WriteTensor("w", []byte{1, 2, 3}, 0); err != nil {
		log.Fatal(err)
	}
	if err := out.Commit(); err != nil {
		log.Fatal(err)
	}

	in, err := safetensors.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	for _, t := range in.Tensors() {
		data, err := in.ReadAll(t.Name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Name, t.DType, t.Shape, data)
	}
	// Output: w I8 [2,3] [1 2 3 4 5 6]
}
