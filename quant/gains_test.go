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
		name              string
		spec              quant.Spec
		minmax, mse, wide float64 // wide from twice the range on
	}{
		{"int4 16", quant.Spec{DType: quant.Int4, Granularity: block(16)}, 21.09, 21.93, 22.45},
		{"int4 32", quant.Spec{DType: quant.Int4, Granularity: block(32)}, 20.29, 21.00, 21.16},
		{"int4 128", quant.Spec{DType: quant.Int4, Granularity: block(128)}, 18.78, 19.62, 19.63},
		{"int4 row", quant.Spec{DType: quant.Int4, Granularity: row}, 17.65, 19.05, 19.05},
		{"int4 asym 32", quant.Spec{DType: quant.Int4, Scheme: quant.Asymmetric, Granularity: block(32)}, 21.75, 22.05, 22.20},
		{"int4 asym 128", quant.Spec{DType: quant.Int4, Scheme: quant.Asymmetric, Granularity: block(128)}, 19.70, 20.19, 20.19},
		{"int2 32", quant.Spec{DType: quant.Int2, Granularity: block(32)}, 6.43, 8.63, 8.64},
		{"int2 128", quant.Spec{DType: quant.Int2, Granularity: block(128)}, 5.04, 8.31, 8.31},
		{"int8 32", quant.Spec{DType: quant.Int8, Granularity: block(32)}, 44.89, 44.89, 45.79},
		{"int8 row", quant.Spec{DType: quant.Int8, Granularity: row}, 42.23, 42.25, 42.32},
		{"e4m3 16", quant.Spec{DType: quant.Float8E4M3FN, Granularity: block(16)}, 33.10, 33.64, 36.48},
		{"e4m3 row", quant.Spec{DType: quant.Float8E4M3FN, Granularity: row}, 31.63, 31.89, 32.46},
		{"e4m3 32", quant.Spec{DType: quant.Float8E4M3FN, Granularity: block(32)}, 32.44, 32.92, 34.90},
		{"mxfp4", quant.Spec{DType: quant.Float4E2M1FN, Granularity: block(32)}, 18.72, 18.99, 0},
		{"nvfp4", quant.Spec{DType: quant.Float4E2M1FN, ScaleDType: quant.ScaleE4M3FN, Granularity: block(16)}, 20.46, 21.80, 0},
		{"mxfp8", quant.Spec{DType: quant.Float8E4M3FN, ScaleDType: quant.ScaleE8M0, Granularity: block(32)}, 30.49, 31.56, 0},
	} {
		var got [3]float64
		for i, ranges := range []quant.Algorithm{{Name: "minmax"}, {Name: "mse"}, {Name: "mse", Arguments: `{"from":128}`}} {
			if i == 2 && c.wide == 0 {
				break
			}
			spec := c.spec
			spec.RangeCalculator = ranges
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
		t.Logf("%-14s %6.2f %6.2f %5.2f %6.2f", c.name, got[0], got[1], got[1]-got[0], got[2])
		assert.InDelta(t, c.minmax, got[0], 0.006, c.name)
		assert.InDelta(t, c.mse, got[1], 0.006, c.name)
		assert.InDelta(t, c.wide, got[2], 0.006, c.name)
	}
}
