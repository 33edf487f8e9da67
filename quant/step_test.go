package quant_test

import (
	"math"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wildStep writes what is no code, and masks that are no flags.
type wildStep struct{}

var wildCodes = []float32{1000.5, -1000.5, 1e9, float32(math.Inf(1)), float32(math.Inf(-1)), 0.5, 1.5, -0.3, 100000, float32(math.NaN())}

func (wildStep) Quantize(codes []float32, mask []byte, x []float32, _ quant.Group) {
	for i, x := range x {
		codes[i], mask[i] = wildCodes[int(x)], byte(int(x)+1)
	}
}

// What a step of a user's own writes becomes a code, the nearest one there is, before it is used, and its flags 0 or 1: all that is made of
// a tensor agrees.
func TestWildStep(t *testing.T) {
	quant.RegisterQuantizeStep("wild", func(quant.Request) (quant.QuantizeStep, error) { return wildStep{}, nil })
	x := quant.Tensor[float32]{Shape: []int{len(wildCodes)}}
	for i := range wildCodes {
		x.Data = append(x.Data, float32(i))
	}
	const scale = 0.5
	for _, d := range []quant.DType{quant.Int8, quant.Int4, quant.Int2, quant.Uint8, quant.Uint4, quant.Uint2, quant.Float8E4M3FN, quant.Float8E5M2, quant.Float4E2M1FN} {
		spec := quant.Spec{DType: d, FakeQuantize: quant.Algorithm{Name: "wild"}}
		q, err := quant.NewGiven[float32](spec, quant.Weight, quant.Params{Scale: []float32{scale}})
		require.NoError(t, err)
		lo, hi := spec.QuantRange()
		var y, values, back quant.Tensor[float32]
		var codes quant.Codes
		bytes, bits := quant.Mask{Kind: quant.ByteMask}, quant.Mask{Kind: quant.BitMask}
		require.NoError(t, q.FakeQuantize(&y, x, &bytes))
		require.NoError(t, q.FakeQuantize(&y, x, &bits))
		require.NoError(t, q.QuantizeValues(&values, x))
		require.NoError(t, q.Quantize(&codes, x))
		require.NoError(t, quant.Dequantize(&back, codes, 1))
		for i, c := range wildCodes {
			if c != c {
				assert.True(t, y.Data[i] != y.Data[i] && values.Data[i] != values.Data[i], "%v: NaN stays NaN", d)
				continue
			}
			v := float64(values.Data[i])
			assert.LessOrEqual(t, lo, v, "%v of %v", d, c)
			assert.GreaterOrEqual(t, hi, v, "%v of %v", d, c)
			if math.Abs(float64(c)) > 60000 {
				want := hi
				if c < 0 {
					want = lo
				}
				assert.Equal(t, want, v, "%v of %v", d, c)
			}
			if !d.IsFloat() {
				assert.Equal(t, math.RoundToEven(min(max(float64(c), lo), hi)), v, "%v of %v", d, c)
			}
			assert.Equal(t, values.Data[i]*scale, y.Data[i], "%v of %v", d, c)
			assert.Equal(t, y.Data[i], back.Data[i], "%v of %v", d, c)
		}
		for i, m := range bytes.Data {
			assert.EqualValues(t, 1, m, "%v", d)
			assert.EqualValues(t, 1, bits.Data[i/8]>>(i%8)&1, "%v", d)
		}
		assert.Zero(t, bits.Data[1]>>(len(wildCodes)-8), "no bits behind the last")
	}
}
