package main

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/demo"
	"github.com/lowbit-go/lowbit/quant"
)

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
