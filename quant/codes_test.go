package quant_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// TestKernelParams holds Dequantize against the kernels with the parameters that Codes has for them.
func TestKernelParams(t *testing.T) {
	const rows, columns = 4, 64
	w := quant.Tensor[float32]{Data: make([]float32, rows*columns), Shape: []int{rows, columns}}
	for i := range w.Data {
		w.Data[i] = 3 * float32(math.Sin(float64(i*i)))
	}
	for _, text := range []string{
		`{"dtype":"int8"}`, `{"dtype":"uint8","qscheme":"asymmetric"}`, `{"dtype":"int4","qformulation":"minval","qscheme":"asymmetric"}`, `{"dtype":"uint6"}`, `{"dtype":"int2"}`,
		`{"dtype":"int16"}`, `{"dtype":"int8","dialect":"torch"}`, `{"dtype":"float8_e4m3fn"}`, `{"dtype":"float8_e4m3fn","dialect":"transformers"}`, `{"dtype":"float4_e2m1fn_x2"}`,
		`{"dtype":"float6_e3m2fn"}`, `{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e4m3fn"}`,
		`{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e4m3fn","dialect":"compressed_tensors"}`,
	} {
		spec, err := quant.ParseSpec([]byte(text[:len(text)-1] + `,"granularity":{"type":"per_block","axis":1,"block_size":` + block(text) + `}}`))
		require.NoError(t, err, text)
		q, err := quant.New[float32](spec, quant.Weight)
		require.NoError(t, err, text)
		for _, packed := range []bool{false, true} {
			codes := quant.Codes{Packed: packed}
			require.NoError(t, q.Quantize(&codes, w), text)
			var want quant.Tensor[float32]
			require.NoError(t, quant.Dequantize(&want, codes, 1), text)
			y := make([]float32, columns)
			groups := codes.Params.Shape[1]
			grid := kernels.Grid{Rows: 1, Groups: groups, Len: columns / groups}
			for row := range rows {
				stored := codes.Data[row*len(codes.Data)/rows:][:len(codes.Data)/rows]
				ints, intErr := codes.IntParams(row*groups, groups)
				floats, floatErr := codes.FloatParams(row*groups, groups)
				if spec.DType.IsFloat() {
					require.ErrorIs(t, intErr, quant.ErrSpec, text)
					require.NoError(t, floatErr, text)
					kernels.DequantizeFloat(y, stored, grid, &floats)
				} else {
					require.ErrorIs(t, floatErr, quant.ErrSpec, text)
					require.NoError(t, intErr, text)
					kernels.DequantizeInt(y, stored, grid, &ints)
				}
				require.Equal(t, want.Data[row*columns:][:columns], y, text)
			}
			params := codes.IntParams
			if spec.DType.IsFloat() {
				params = func(first, n int) (kernels.IntParams, error) {
					_, err := codes.FloatParams(first, n)
					return kernels.IntParams{}, err
				}
			}
			for _, part := range [][2]int{{-1, 1}, {0, -1}, {0, rows*groups + 1}, {rows * groups, 1}, {math.MaxInt, math.MaxInt}} {
				_, err := params(part[0], part[1])
				require.ErrorIs(t, err, quant.ErrShape, text)
			}
			_, err := params(rows*groups, 0)
			require.NoError(t, err)
			codes.Params.Scale = codes.Params.Scale[1:]
			_, err = codes.IntParams(0, 1)
			_, err2 := codes.FloatParams(0, 1)
			require.Error(t, err)
			require.Error(t, err2)
		}
	}
}

// block is the size of blocks that the spec's formats are for.
func block(spec string) string {
	if strings.Contains(spec, "scale_dtype") {
		return "16"
	}
	return "32"
}
