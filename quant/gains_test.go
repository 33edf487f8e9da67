package quant_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/internal/demo"
	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/quant"
)

// TestGains holds what a search gains over minimum and maximum on real weights: the signal to noise ratio in dB that docs/calibration.md has.
func TestGains(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	f, err := demo.Open()
	require.NoError(t, err)
	var weights []quant.Tensor[float32]
	for _, info := range f.Tensors() {
		if info.Shape.Rank() == 2 {
			data, err := f.ReadAll(info.Name)
			require.NoError(t, err)
			weights = append(weights, quant.Tensor[float32]{Data: golden.Values[float32](golden.Tensor{DType: info.DType, Data: data}), Shape: info.Shape.Dims()})
		}
	}
	row := quant.PerChannel(0)
	block := func(n int) quant.Granularity { return quant.PerBlock(1, n) }
	for _, c := range []struct {
		name        string
		spec        quant.Spec
		minmax, mse float64
	}{
		{"int4 16", quant.Spec{DType: quant.Int4, Granularity: block(16)}, 21.09, 21.93},
		{"int4 32", quant.Spec{DType: quant.Int4, Granularity: block(32)}, 20.29, 21.00},
		{"int4 128", quant.Spec{DType: quant.Int4, Granularity: block(128)}, 18.78, 19.62},
		{"int4 row", quant.Spec{DType: quant.Int4, Granularity: row}, 17.65, 19.05},
		{"int4 asym 32", quant.Spec{DType: quant.Int4, Scheme: quant.Asymmetric, Granularity: block(32)}, 21.75, 22.05},
		{"int2 32", quant.Spec{DType: quant.Int2, Granularity: block(32)}, 6.43, 8.63},
		{"int2 128", quant.Spec{DType: quant.Int2, Granularity: block(128)}, 5.04, 8.31},
		{"int8 32", quant.Spec{DType: quant.Int8, Granularity: block(32)}, 44.89, 44.89},
		{"e4m3 32", quant.Spec{DType: quant.Float8E4M3FN, Granularity: block(32)}, 32.44, 32.92},
		{"mxfp4", quant.Spec{DType: quant.Float4E2M1FN, Granularity: block(32)}, 18.72, 18.99},
		{"nvfp4", quant.Spec{DType: quant.Float4E2M1FN, ScaleDType: quant.ScaleE4M3FN, Granularity: block(16)}, 20.46, 21.80},
		{"mxfp8", quant.Spec{DType: quant.Float8E4M3FN, ScaleDType: quant.ScaleE8M0, Granularity: block(32)}, 30.49, 31.56},
	} {
		var got [2]float64
		for i, ranges := range []string{"minmax", "mse"} {
			spec := c.spec
			spec.RangeCalculator.Name = ranges
			signal, noise := 0.0, 0.0
			for _, w := range weights {
				q, err := quant.New[float32](spec, quant.Weight)
				require.NoError(t, err)
				var y quant.Tensor[float32]
				require.NoError(t, q.FakeQuantize(&y, w, nil))
				for i, v := range w.Data {
					signal += float64(v) * float64(v)
					noise += float64(v-y.Data[i]) * float64(v-y.Data[i])
				}
			}
			got[i] = 10 * math.Log10(signal/noise)
		}
		t.Logf("%-14s %6.2f %6.2f %5.2f", c.name, got[0], got[1], got[1]-got[0])
		assert.InDelta(t, c.minmax, got[0], 0.006, c.name)
		assert.InDelta(t, c.mse, got[1], 0.006, c.name)
	}
}
