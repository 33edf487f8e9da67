package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/demo"
	"github.com/lowbit-go/lowbit/safetensors"
)

// The bits per weight that demo prints are those of the files that quantize writes.
func TestDemoBits(t *testing.T) {
	if testing.Short() {
		t.Skip("the bits, and so the figures, are the same on every machine")
	}
	f, err := demo.Open()
	require.NoError(t, err)
	var tensors []tensor
	weights := 0
	for _, info := range f.Tensors() {
		if info.Shape.Rank() < 2 {
			continue
		}
		data, err := f.ReadAll(info.Name)
		require.NoError(t, err)
		tensors = append(tensors, tensor{info.Name, info.DType, info.Shape.Dims(), data})
		weights += info.Elements()
	}
	in, codes := save(t, place(t, "in"), tensors...), place(t, "codes")
	text := works(t, "demo", "--workers", "1")
	for _, format := range demoFormats {
		works(t, "quantize", "--pack", "--spec", format.spec, "-o", codes, in)
		f, err := safetensors.Open(codes)
		require.NoError(t, err)
		assert.Regexp(t, fmt.Sprintf(`(?m)^%s +%.2f `, format.name, float64(8*size(f.Tensors()))/float64(weights)), text)
		require.NoError(t, f.Close())
	}
}
