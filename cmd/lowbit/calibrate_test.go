package main

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/lowbit-go/lowbit/safetensors"
)

// batches are two files of activations; a tensor is in the first alone.
func batches(t *testing.T) []string {
	var names []string
	for i := range 2 {
		a, b := make([]float32, 6*4), make([]float32, 5)
		for k := range a {
			a[k] = float32(math.Sin(float64(k*k+i))) * float32(i+1)
		}
		for k := range b {
			b[k] = float32(k + 1)
		}
		tensors := []tensor{of("a", safetensors.F32, []int{6, 4}, a...)}
		if i == 0 {
			tensors = append(tensors, of("b", safetensors.F32, []int{5}, b...))
		}
		names = append(names, save(t, place(t, "batch.safetensors"), tensors...))
	}
	return names
}

// TestCalibrate takes up what calibrate learned with fakequant, which then has the parameters of a run that saw all batches.
func TestCalibrate(t *testing.T) {
	in := batches(t)
	for _, spec := range []string{
		`{"dtype":"uint8","qscheme":"asymmetric"}`,
		`{"qparam_calculator_cls":{"name":"moving_average","constant":0.25},"range_calculator_cls":{"name":"percentile","num":9,"den":10}}`,
		`{"qparam_calculator_cls":{"name":"histogram","range":{"name":"percentile","num":9,"den":10}}}`,
		`{"dtype":"int4","qparam_calculator_cls":"histogram","fake_quantize_cls":{"name":"stochastic","seed":9}}`,
	} {
		state, direct, resumed := place(t, "state.safetensors"), place(t, "direct.safetensors"), place(t, "resumed.safetensors")
		works(t, "calibrate", "--spec", spec, "--include", "^a$", "-o", state, in[0])
		works(t, "fakequant", "--target", "activation", "--include", "^a$", "--spec", spec, "-o", direct, in[0], in[1])
		works(t, "fakequant", "--target", "activation", "--include", "^a$", "--spec", spec, "--state-in", state, "-o", resumed, in[1])
		require.Equal(t, load(t, direct).tensors, load(t, resumed).tensors, spec)
	}
}

// TestCalibrateForAnySpec takes up ranges and histograms with quantizers whose parameters are of other kinds than those that calibrate's have.
func TestCalibrateForAnySpec(t *testing.T) {
	in := batches(t)
	for kind, calculator := range map[string]string{"--ranges": `"global_minmax"`, "--histogram": `{"name":"histogram","range":{"name":"percentile","num":9,"den":10}}`} {
		state := place(t, "state.safetensors")
		works(t, "calibrate", kind, "--include", "^a$", "-o", state, in[0])
		for _, format := range []string{
			`"dtype":"float8_e4m3fn"`, `"dtype":"float8_e5m2","scale_dtype":"float8_e8m0fnu"`, `"dtype":"float4_e2m1fn_x2"`,
			`"dtype":"int8","scale_dtype":"float8_e8m0fnu"`, `"dtype":"uint4","qscheme":"asymmetric","scale_dtype":"bfloat16"`,
			`"dtype":"int4","scale_dtype":"float16","qformulation":"minval"`,
		} {
			spec := `{` + format + `,"qparam_calculator_cls":` + calculator + `}`
			direct, resumed := place(t, "direct.safetensors"), place(t, "resumed.safetensors")
			works(t, "fakequant", "--target", "activation", "--include", "^a$", "--spec", spec, "-o", direct, in[0], in[1])
			works(t, "fakequant", "--target", "activation", "--include", "^a$", "--spec", spec, "--state-in", state, "-o", resumed, in[1])
			require.Equal(t, load(t, direct).tensors, load(t, resumed).tensors, spec)
		}
		fails(t, exitFailed, []string{state, `tensor "a"`}, "fakequant", "--include", "^a$", "--spec", `{"dtype":"float8_e4m3fn"}`, "--state-in", state, "-o", place(t, "out"), in[1])
	}
}

// TestCalibrateKinds has a look at what each kind keeps.
func TestCalibrateKinds(t *testing.T) {
	in := batches(t)
	out := place(t, "state.safetensors")
	works(t, "calibrate", "--ranges", "-o", out, in[0], in[1])
	ranges := load(t, out)
	require.Equal(t, []float32{5}, numbers[float32](t, ranges.tensors["b.qparams_calculator.running_max"]))
	works(t, "calibrate", "--histogram", "-o", out, in[0], in[1])
	total := int64(0)
	for _, n := range numbers[int64](t, load(t, out).tensors["a.qparams_calculator.histogram_counts"]) {
		total += n
	}
	require.Equal(t, int64(2*6*4), total)
	works(t, "calibrate", "--importance", "-o", out, in[0], in[1])
	importance := load(t, out)
	require.Equal(t, []int64{12}, numbers[int64](t, importance.tensors["a.counts"]))
	var want quant.Importance[float32]
	for _, name := range in {
		require.NoError(t, want.Add(quant.Tensor[float32]{Data: numbers[float32](t, load(t, name).tensors["a"]), Shape: []int{6, 4}}))
	}
	require.Equal(t, want.State()["in_sum2"].Data, importance.tensors["a.in_sum2"].data)

	fails(t, exitUsage, []string{"--spec"}, "calibrate", "-o", out, in[0])
	fails(t, exitFailed, []string{"is a folder, want a safetensors file"}, "calibrate", "--ranges", "-o", out, filepath.Dir(save(t, place(t, "model.safetensors"), ramp("a", 2))))
	r := lowbit(t, "calibrate", "--ranges", "--include", "nothing", "-o", out, in[0])
	require.Equal(t, "lowbit: warning: no tensor is selected\n", r.stderr)
	fails(t, exitUsage, []string{"dynamic"}, "calibrate", "--spec", `{"qparam_calculator_cls":"dynamic"}`, "-o", out, in[0])
	other := save(t, place(t, "other.safetensors"), of("a", safetensors.F32, []int{2, 3}, 1, 2, 3, 4, 5, float32(6)))
	fails(t, exitFailed, []string{"other.safetensors", `"a"`, "columns"}, "calibrate", "--importance", "-o", out, in[0], other)
}
