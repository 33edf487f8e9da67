package quant_test

import (
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/golden"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// Every bit of every case is what the reference returned.
func TestGolden(t *testing.T) {
	cases, err := golden.Cases()
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	onEach(t, func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				inputs, err := golden.Inputs(c.Steps[0].Input)
				require.NoError(t, err)
				want, err := golden.Expected(c.Name)
				require.NoError(t, err)
				for name, x := range inputs {
					switch x.DType {
					case safetensors.F32:
						testGolden[float32](t, c, name, want)
					case safetensors.F16:
						testGolden[float16.Float16](t, c, name, want)
					case safetensors.BF16:
						testGolden[bf16.BFloat16](t, c, name, want)
					default:
						require.Failf(t, "no such tensor can be quantized", "%s is %v", name, x.DType)
					}
				}
			})
		}
	})
}

// input returns a tensor that goes in.
func input[T kernels.Float](t *testing.T, file, name string) quant.Tensor[T] {
	tensors, err := golden.Inputs(file)
	require.NoError(t, err)
	require.Contains(t, tensors, name)
	return quant.Tensor[T]{Data: golden.Values[T](tensors[name]), Shape: tensors[name].Shape}
}

func testGolden[T kernels.Float](t *testing.T, c golden.Case, name string, want map[string]golden.Tensor) {
	target, err := quant.ParseTarget(c.Target)
	require.NoError(t, err)
	q := mustNew[T](t, string(c.Spec), target)
	q.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	var x, y quant.Tensor[T]
	mask := quant.Mask{Kind: quant.ByteMask}
	for i, step := range c.Steps {
		if step.Observer != nil {
			require.NoError(t, q.EnableObserver(*step.Observer))
		}
		if step.FakeQuant != nil {
			q.EnableFakeQuant(*step.FakeQuant)
		}
		x = input[T](t, step.Input, name)
		require.NoError(t, q.FakeQuantize(&y, x, &mask))
		result := name
		if i < len(c.Steps)-1 {
			result = fmt.Sprintf("step%d/%s", i, name)
		}
		requireGolden(t, want, result, y.Data, y.Shape)
	}
	if _, ok := want[name+".mask"]; !ok {
		assert.Empty(t, mask.Data)
		assert.True(t, q.Disabled() || !q.FakeQuantEnabled())
		return
	}
	requireGolden(t, want, name+".mask", mask.Data, x.Shape)

	var codes quant.Codes
	if q.Spec().Calculator.Name != "dynamic" {
		require.NoError(t, q.EnableObserver(false))
	}
	require.NoError(t, q.Quantize(&codes, x))
	p := codes.Params
	requireGolden(t, want, name+".scale", p.Scale, p.Shape)
	var back quant.Tensor[float32]
	require.NoError(t, quant.Dequantize(&back, codes, 1))
	if !codes.Spec.DType.IsFloat() {
		requireGolden(t, want, name+".zero_point", p.ZeroPoint, p.Shape)
		minval := golden.Values[float32](want[name+".minval"])
		require.Len(t, p.MinVal, len(minval))
		for i, m := range minval { // the sign of a zero is not specified
			require.True(t, m == p.MinVal[i] || m != m && p.MinVal[i] != p.MinVal[i], "minval[%d] is %v, want %v", i, p.MinVal[i], m)
		}
		// Nor is the code of a NaN, which here is 0.
		for i, v := range x.Data {
			if v := toFloat32(v); v != v {
				require.Zero(t, codes.Data[i])
				codes.Data[i] = want[name+".code"].Data[i]
			}
		}
		require.NoError(t, quant.Dequantize(&back, codes, 1))
	}
	requireGolden(t, want, name+".code", codes.Data, codes.Shape)
	requireGolden(t, want, name+".dequantized", back.Data, back.Shape)

	if c.Grad != "" {
		var dx quant.Tensor[T]
		require.NoError(t, q.Backward(&dx, input[T](t, c.Grad, name), mask))
		requireGolden(t, want, name+".grad", dx.Data, dx.Shape)
	}
}

func requireGolden[E any](t *testing.T, want map[string]golden.Tensor, name string, data []E, shape []int) {
	t.Helper()
	require.Contains(t, want, name)
	require.Equal(t, want[name].Shape, shape, name)
	i := want[name].Diff(golden.Bytes(data))
	require.Negative(t, i, "%s differs from the reference at element %d", name, i)
}
