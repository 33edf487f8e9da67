package quant_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp8"
	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// nvfp4Case is how the golden cases say what was searched.
type nvfp4Case struct {
	Input, Dialect, DType string
	Two                   bool
	From, To, Weighted    int
	Norm                  float64
}

// TestNVFP4Search holds the search for scales of NVFP4 against golden ones: whole tensors with any number of workers, and part by part.
func TestNVFP4Search(t *testing.T) {
	cases, err := golden.Calibration("nvfp4_mse")
	require.NoError(t, err)
	quant.ShareEvery(t, 64)
	onEach(t, func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				var p nvfp4Case
				require.NoError(t, json.Unmarshal(c.Params, &p))
				in := c.Input(p.Input)
				x := golden.Values[float32](in)
				if p.DType == "bf16" {
					half := make([]bf16.BFloat16, len(x))
					kernels.EncodeBFloat16(half, x)
					testNVFP4Search(t, c, p, quant.Tensor[bf16.BFloat16]{Data: half, Shape: in.Shape})
				} else {
					testNVFP4Search(t, c, p, quant.Tensor[float32]{Data: x, Shape: in.Shape})
				}
			})
		}
	})
}

func testNVFP4Search[T kernels.Float](t *testing.T, c golden.CalibrationCase, p nvfp4Case, x quant.Tensor[T]) {
	spec, err := quant.ParseSpec(fmt.Appendf(nil, `{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e4m3fn","dialect":%q,"global_scale":%t,
		"granularity":{"type":"per_block","axis":-1,"block_size":16,"partial":%t},
		"range_calculator_cls":{"name":"mse","from":%d,"to":%d,"norm":%v}}`, p.Dialect, p.Two, x.Shape[1]%16 != 0, p.From, p.To, p.Norm))
	require.NoError(t, err)
	var importance []float32
	if p.Weighted != 0 {
		importance = golden.Values[float32](c.Input("nvfp4.weights"))
	}
	want := c.Tensor("scale")
	check := func(params quant.Params, what string) {
		t.Helper()
		codes := make([]byte, len(params.Scale))
		for i, s := range params.Scale {
			codes[i] = byte(fp8.E4M3FNFromFloat32(s)) & 0x7f
		}
		require.Equal(t, want.Data, codes, what)
		requireSame(t, what, golden.Values[float32](c.Tensor("global")), []float32{params.Global})
	}
	for workers := 1; workers <= 8; workers++ {
		q, err := quant.New[T](spec, quant.Weight)
		require.NoError(t, err)
		q.Workers, q.Importance = workers, importance
		require.NoError(t, q.Observe(x))
		params, err := q.Params()
		require.NoError(t, err)
		check(params, fmt.Sprint(workers, " workers"))
	}
	pieces, err := quant.NewPieces[T](spec, quant.Weight, x.Shape, true)
	require.NoError(t, err)
	pieces.Importance = importance
	var all quant.Params
	for part := range pieces.Parts(64) {
		var params quant.Params
		require.NoError(t, pieces.Quantize(make([]byte, part.Bytes), &params, part, x.Data[part.First:][:part.Len]))
		all.Scale, all.Global = append(all.Scale, params.Scale...), params.Global
	}
	check(all, "part by part")
}
