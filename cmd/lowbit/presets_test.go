package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/internal/demo"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// TestCompressedTensorsBits holds the bits per weight that presets tells of against plans for such a matrix.
func TestCompressedTensorsBits(t *testing.T) {
	head, tensors, err := safetensors.Layout(nil, []safetensors.Info{{Name: "a.weight", DType: safetensors.BF16, Shape: presetShape}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, os.WriteFile(path, head, 0o666))
	require.NoError(t, os.Truncate(path, int64(len(head))+tensors[0].Size)) // its zeros take no room
	in, err := checkpoint.Open(path)
	require.NoError(t, err)
	defer in.Close()
	bits := map[string]string{}
	for _, name := range checkpoint.CompressedTensorsPresets() {
		job, err := checkpoint.NewCompressedTensors(name, nil, "")
		require.NoError(t, err)
		plan, err := checkpoint.NewPlan(in, job, pieceSize)
		require.NoError(t, err)
		bits[name] = fmt.Sprintf("%.3f", 8*float64(plan.After)/float64(presetShape.Elements()))
	}
	assert.Equal(t, bits, ctBits)
}

// TestSearchGains holds the gains that presets tells of against the demo's weights.
func TestSearchGains(t *testing.T) {
	if testing.Short() {
		t.Skip("the bits, and so the figures, are the same on every machine")
	}
	f, err := demo.Open()
	require.NoError(t, err)
	sqnr := func(preset string) float64 {
		spec, err := quant.Preset(preset)
		require.NoError(t, err)
		signal, noise := 0.0, 0.0
		for _, info := range f.Tensors() {
			if info.Shape.Rank() < 2 {
				continue
			}
			x := quant.Tensor[float32]{Data: make([]float32, info.Elements()), Shape: info.Shape.Dims()}
			require.NoError(t, f.ReadTensor(info.Name, bytesOf(x.Data), 0))
			toggleEndian(x.Data)
			q, err := quant.New[float32](spec, quant.Weight)
			require.NoError(t, err)
			var y quant.Tensor[float32]
			require.NoError(t, q.FakeQuantize(&y, x, nil))
			for i, v := range x.Data {
				e := float64(v) - float64(y.Data[i])
				signal += float64(v) * float64(v)
				noise += e * e
			}
		}
		return 10 * math.Log10(signal/noise)
	}
	for _, name := range quant.Presets() {
		base, searched := strings.CutSuffix(name, "-mse")
		gain, told := searchGains[name]
		require.Equal(t, searched, told, name)
		if searched {
			assert.InDelta(t, gain, sqnr(name)-sqnr(base), 0.006, name)
		}
	}
}
