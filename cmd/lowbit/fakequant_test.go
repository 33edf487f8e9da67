package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// What is not a floating tensor, or not selected, passes as it is, and so does a tensor that is empty; a scalar is like any other.
func TestFakeQuantSelection(t *testing.T) {
	in := saveWith(t, place(t, "in"), map[string]string{"format": "pt"},
		ramp("layer.weight", 2, 8), ramp("layer.bias", 8), of("f64", safetensors.F64, []int{2}, 1.5, 2.5),
		of("ids", safetensors.I64, []int{3}, int64(1), 2, 3), of[float32]("empty", safetensors.F32, []int{0, 4}), of("scalar", safetensors.F32, []int{}, float32(3)),
		of("half", safetensors.F16, []int{2}, uint16(0x3c00), 0xbc00), of("brain", safetensors.BF16, []int{2}, uint16(0x3f80), 0xbf80))
	before, out := load(t, in), place(t, "out")

	works(t, "fakequant", "--spec", int8Spec, "-o", out, in)
	after := load(t, out)
	assert.Equal(t, before.metadata, after.metadata)
	for _, name := range []string{"f64", "ids", "empty"} {
		assert.Equal(t, before.tensors[name], after.tensors[name])
		assert.NotContains(t, after.names, name+".scale")
	}
	for _, name := range []string{"layer.weight", "layer.bias", "scalar", "half", "brain"} {
		was, is := before.tensors[name], after.tensors[name]
		assert.Equal(t, []any{was.dtype, was.shape}, []any{is.dtype, is.shape})
		assert.Equal(t, safetensors.U8, after.tensors[name+".mask"].dtype)
		assert.Equal(t, was.shape, after.tensors[name+".mask"].shape)
		ones := make([]int, len(was.shape))
		for i := range ones {
			ones[i] = 1
		}
		for suffix, dtype := range map[string]safetensors.DType{".scale": safetensors.F32, ".zero_point": safetensors.I32, ".minval": safetensors.F32} {
			assert.Equal(t, dtype, after.tensors[name+suffix].dtype)
			assert.Equal(t, ones, after.tensors[name+suffix].shape)
		}
	}

	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--include", "bias"}, "layer.bias"},
		{[]string{"--include", "^layer", "--exclude", "w"}, "layer.bias"},
		{[]string{"--include", "scal"}, "scalar"},
		{[]string{"--exclude", "layer|half|brain"}, "scalar"},
	} {
		works(t, append([]string{"fakequant", "--spec", int8Spec, "-o", out, in}, c.args...)...)
		after := load(t, out)
		assert.Len(t, after.names, len(before.names)+4)
		assert.Contains(t, after.names, c.want+".scale")
	}

	r := lowbit(t, "fakequant", "--spec", int8Spec, "-o", out, "--include", "nothing", in)
	assert.Equal(t, exitOK, r.status)
	assert.Contains(t, r.stderr, "lowbit: warning: no tensor is selected")
	assert.Equal(t, before, load(t, out))
}

func TestFakeQuantMasks(t *testing.T) {
	in := save(t, place(t, "in"), of("w", safetensors.F32, []int{3, 3}, float32(0), 1, 2.5, 3, -4, -1, float32(math.NaN()), 0.5, 3))
	spec := `{"float_range":[-2,2]}`
	out := place(t, "out")
	lowbit(t, "fakequant", "--spec", spec, "-o", out, in)
	assert.Equal(t, tensor{"w.mask", safetensors.U8, []int{3, 3}, []byte{1, 1, 0, 0, 0, 1, 0, 1, 0}}, load(t, out).tensors["w.mask"])
	lowbit(t, "fakequant", "--spec", spec, "--mask", "bit", "-o", out, in)
	assert.Equal(t, tensor{"w.mask", safetensors.U8, []int{2}, []byte{0b10100011, 0}}, load(t, out).tensors["w.mask"])
	lowbit(t, "fakequant", "--spec", spec, "--mask", "none", "-o", out, in)
	assert.Equal(t, []string{"w", "w.scale", "w.zero_point", "w.minval"}, load(t, out).names)
	lowbit(t, "fakequant", "--spec", `{"dtype":"float8_e5m2"}`, "--mask", "none", "-o", out, in)
	assert.Equal(t, []string{"w", "w.scale"}, load(t, out).names)
}

func TestFakeQuantGrad(t *testing.T) {
	in := save(t, place(t, "in"), of("w", safetensors.F32, []int{3}, float32(0), 1, 9), of("b", safetensors.F32, []int{1}, float32(1)))
	out := place(t, "out")
	args := []string{"fakequant", "--spec", `{"float_range":[-2,2]}`, "--include", "w", "-o", out, in, "--grad"}
	grad := save(t, place(t, "grad"), of("w", safetensors.F32, []int{3}, float32(3), -4, -5), of("other", safetensors.I8, []int{1}, int8(1)))
	for _, mask := range []string{"byte", "bit", "none"} {
		works(t, append(args, grad, "--mask", mask)...)
		got := load(t, out)
		assert.Equal(t, []float32{3, -4, float32(math.Copysign(0, -1))}, numbers[float32](t, got.tensors["w.grad"]))
		assert.Equal(t, mask != "none", got.tensors["w.mask"].data != nil)
	}
	for _, c := range []struct {
		grad  tensor
		words []string
	}{
		{ramp("v", 3), []string{"missing"}},
		{ramp("w", 3, 1), []string{"[3,1]", "[3]"}},
		{of("w", safetensors.F16, []int{3}, uint16(1), 2, 3), []string{"F16", "F32"}},
	} {
		bad := save(t, place(t, "bad"), c.grad)
		fails(t, exitFailed, append(c.words, bad, `tensor "w"`), append(args, bad)...)
	}
	// A tensor that passes alone needs no gradient.
	works(t, "fakequant", "--spec", int8Spec, "-o", out, "--grad", grad, save(t, place(t, "empty"), of[float32]("e", safetensors.F32, []int{0})))
}

func TestFakeQuantInputsFit(t *testing.T) {
	out, args := place(t, "out"), []string{"fakequant", "--spec", int8Spec, "--target", "activation"}
	last := save(t, place(t, "last"), ramp("x", 2, 4), of("n", safetensors.I32, []int{1}, int32(1)))
	for _, c := range []struct {
		first []tensor
		words []string
	}{
		{nil, []string{`tensor "x"`, "missing", last}},
		{[]tensor{ramp("x", 2), ramp("y", 2)}, []string{`tensor "y"`, "no such tensor", last}},
		{[]tensor{ramp("x", 2), ramp("n", 2)}, []string{`tensor "n"`, last}},
		{[]tensor{of("x", safetensors.F16, []int{1}, uint16(1))}, []string{`tensor "x"`, "F16", "F32", last}},
	} {
		first := save(t, place(t, "first"), c.first...)
		fails(t, exitFailed, append(c.words, first), append(args, "-o", out, first, last)...)
	}
	fails(t, exitFailed, []string{last, `tensor "x"`, "axis is 2", "leave it out with --exclude"}, "fakequant", "--spec", `{"granularity":{"type":"per_channel","axis":2}}`, "-o", out, last)
	// Shapes may differ, as those of activations do.
	works(t, append(args, "-o", out, save(t, place(t, "first"), ramp("x", 7, 3)), last)...)
}

// A block that does not divide disables the quantizer from that pass on.
func TestFakeQuantDisabled(t *testing.T) {
	good, bad, out := save(t, place(t, "good"), ramp("x", 8)), save(t, place(t, "bad"), ramp("x", 6)), place(t, "out")
	for _, inputs := range [][]string{{bad}, {good, bad}, {bad, good}, {good, bad, good}} {
		r := lowbit(t, append([]string{"fakequant", "--spec", int4Blocks, "-o", out, "--grad", inputs[len(inputs)-1]}, inputs...)...)
		assert.Equal(t, exitOK, r.status)
		assert.Equal(t, 1, strings.Count(r.stderr, "\n"), r.stderr)
		for _, word := range []string{"lowbit: warning: ", `tensor "x"`, "[6]"} {
			assert.Contains(t, r.stderr, word)
		}
		assert.Equal(t, load(t, inputs[len(inputs)-1]), load(t, out))
	}
	works(t, "fakequant", "--spec", int4Blocks, "-o", out, good, good)
	assert.Contains(t, load(t, out).names, "x.scale")
}

func TestFakeQuantCollisions(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	for suffix, args := range map[string][]string{
		".mask":       {"fakequant", "--spec", int8Spec},
		".scale":      {"fakequant", "--spec", `{"dtype":"float8_e4m3fn"}`},
		".zero_point": {"quantize", "--spec", `{"qscheme":"asymmetric"}`},
		".minval":     {"quantize", "--spec", `{"qformulation":"minval"}`, "--pack"},
		".grad":       {"fakequant", "--spec", int8Spec, "--mask", "none"},
	} {
		in := save(t, place(t, "in"), ramp("w", 4), of("w"+suffix, safetensors.I64, []int{1}, int64(1)))
		if suffix == ".grad" {
			args = append(args, "--grad", in)
		}
		fails(t, exitFailed, []string{in, `tensor "w": its "w` + suffix + `" would be written to a name that `}, append(args, "-o", out, in)...)
	}
	assert.Empty(t, entries(t, dir))
	// A name that is not written is free.
	in := save(t, place(t, "in"), ramp("w", 4), of("w.zero_point", safetensors.I64, []int{1}, int64(1)), of("w.mask", safetensors.I64, []int{1}, int64(1)))
	works(t, "fakequant", "--spec", `{"dtype":"float8_e4m3fn"}`, "--mask", "none", "-o", out, in)
}

// Work that stops and goes on gives the same bits as work that does not stop.
func TestState(t *testing.T) {
	dir := t.TempDir()
	var inputs []string
	for i, name := range []string{"a", "b", "c"} {
		x, y := ramp("x", 4, 8), of("y", safetensors.F16, []int{2}, uint16(0x3c00+i), 0x4100)
		for k := range x.data {
			x.data[k] ^= byte(i)
		}
		inputs = append(inputs, save(t, filepath.Join(dir, name), x, y))
	}
	out := func(name string) string { return filepath.Join(dir, name) }
	for _, calculator := range []string{"moving_average", "global_minmax", "static", "dynamic"} {
		spec := `{"qscheme":"asymmetric","qparam_calculator_cls":"` + calculator + `"}`
		args := []string{"fakequant", "--target", "activation", "--spec", spec}
		works(t, append(args, "-o", out("once"), "--state-out", out("state3"), inputs[0], inputs[1], inputs[2])...)
		works(t, append(args, "-o", out("twice"), "--state-out", out("state1"), inputs[0])...)
		works(t, append(args, "-o", out("twice"), "--state-in", out("state1"), "--state-out", out("state1"), inputs[1], inputs[2])...)
		assert.Equal(t, load(t, out("once")), load(t, out("twice")), calculator)
		assert.Equal(t, load(t, out("state3")), load(t, out("state1")), calculator)
	}

	// What only some formats have in their state is there too: NVFP4's scale of the whole tensor, and the factors of other libraries.
	wide := []string{save(t, out("wide1"), ramp("x", 4, 32)), save(t, out("wide2"), ramp("x", 4, 32))}
	for _, spec := range []string{
		`{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e4m3fn","granularity":{"type":"per_block","axis":-1,"block_size":16}}`,
		`{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e8m0fnu","dialect":"compressed_tensors","granularity":{"type":"per_block","axis":-1,"block_size":32}}`,
		`{"dtype":"float8_e4m3fn","dialect":"transformers"}`,
		`{"dtype":"int8","qparam_calculator_cls":{"name":"histogram","range":{"name":"percentile","num":9,"den":10}}}`,
	} {
		args := []string{"fakequant", "--spec", spec}
		works(t, append(args, "-o", out("once"), "--state-out", out("whole"), wide[0], wide[1])...)
		works(t, append(args, "-o", out("twice"), "--state-out", out("half"), wide[0])...)
		works(t, append(args, "-o", out("twice"), "--state-in", out("half"), "--state-out", out("half"), wide[1])...)
		assert.Equal(t, load(t, out("once")), load(t, out("twice")), spec)
		assert.Equal(t, load(t, out("whole")), load(t, out("half")), spec)
	}

	state := load(t, out("state3"))
	assert.Equal(t, []string{"x._disabled", "x.fake_quant_enabled", "x.observer_enabled", "y._disabled", "y.fake_quant_enabled", "y.observer_enabled"}, state.names, "dynamic")
	args := []string{"fakequant", "--target", "activation", "--spec", `{"qparam_calculator_cls":"moving_average"}`, "-o", out("out")}
	works(t, append(args, "--state-out", out("state"), inputs[0])...)
	state = load(t, out("state"))
	for name, want := range map[string]tensor{
		"x.fake_quant_enabled":             {dtype: safetensors.U8, shape: []int{1}},
		"x.observer_enabled":               {dtype: safetensors.U8, shape: []int{1}},
		"x._disabled":                      {dtype: safetensors.BOOL, shape: []int{}},
		"x.qparams_calculator.scale":       {dtype: safetensors.F32, shape: []int{1, 1}},
		"x.qparams_calculator.zero_point":  {dtype: safetensors.I32, shape: []int{1, 1}},
		"x.qparams_calculator.minval":      {dtype: safetensors.F32, shape: []int{1, 1}},
		"x.qparams_calculator.running_min": {dtype: safetensors.F32, shape: []int{1, 1}},
		"y.qparams_calculator.running_max": {dtype: safetensors.F16, shape: []int{1}},
	} {
		got, ok := state.tensors[name]
		require.True(t, ok, name)
		assert.Equal(t, []any{want.dtype, want.shape}, []any{got.dtype, got.shape}, name)
	}

	changed := func(name string, data ...byte) string {
		var tensors []tensor
		for _, n := range state.names {
			x := state.tensors[n]
			if n == name {
				if data == nil {
					continue
				}
				x.data = data
			}
			tensors = append(tensors, x)
		}
		return save(t, out("changed"), tensors...)
	}
	// The switches are part of the state: with fake-quantization off, or disabled, the tensor passes alone.
	for name, value := range map[string]byte{"x.fake_quant_enabled": 0, "x._disabled": 1} {
		works(t, append(args, "--state-in", changed(name, value), "--state-out", out("after"), inputs[1])...)
		got := load(t, out("out"))
		assert.Equal(t, load(t, inputs[1]).tensors["x"], got.tensors["x"])
		assert.NotContains(t, got.names, "x.mask")
		assert.Contains(t, got.names, "y.mask")
		assert.Equal(t, value, load(t, out("after")).tensors[name].data[0])
	}
	// With the observer off the parameters stay.
	works(t, append(args, "--state-in", changed("x.observer_enabled", 0), inputs[1])...)
	assert.Equal(t, state.tensors["x.qparams_calculator.scale"].data, load(t, out("out")).tensors["x.scale"].data)

	// Parameters of other groups do not do.
	other := save(t, out("other"), ramp("x", 4, 2, 4))
	fails(t, exitFailed, []string{other, `tensor "x"`, "[1,1,1]", "[1,1]"}, append(args, "--state-in", changed("x.observer_enabled", 0), other)...)
	fails(t, exitFailed, []string{other, `tensor "x"`, "[1,1,1]", "[1,1]"}, append(args, "--state-in", out("state"), other)...)

	fails(t, exitFailed, []string{out("changed"), `tensor "x"`, "running_min", "missing"}, append(args, "--state-in", changed("x.qparams_calculator.running_min"), inputs[1])...)
	fails(t, exitFailed, []string{out("changed"), `tensor "x"`, "observer_enabled"}, append(args, "--state-in", changed("x.observer_enabled", 7), inputs[1])...)
	fails(t, exitFailed, []string{inputs[0], `tensor "x"`, "no state"}, append(args, "--state-in", inputs[0], inputs[1])...)
	fails(t, exitFailed, []string{out("state"), `tensor "x"`, "running_max"}, "fakequant", "--spec", int8Spec, "-o", out("out"), "--state-in", out("state"), inputs[1])
}

// Neither fakequant nor quantize nor dequantize depends on the number of workers.
func TestWorkers(t *testing.T) {
	in := save(t, place(t, "in"), ramp("a", 300, 500), ramp("b", 2, 70000), of("n", safetensors.U8, []int{5 << 20}, make([]byte, 5<<20)...))
	for _, spec := range []string{
		`{"dtype":"int4","qscheme":"asymmetric","granularity":{"type":"per_block","axis":1,"block_size":100}}`,
		`{"dtype":"uint2","granularity":{"type":"per_channel","axis":0}}`, `{"dtype":"float4_e2m1fn_x2","granularity":{"type":"per_channel","axis":1}}`,
	} {
		var want [3]file
		for _, workers := range []string{"1", "2", "3", "8", "1000000000"} {
			out, codes, values := place(t, "out"), place(t, "codes"), place(t, "values")
			works(t, "fakequant", "--spec", spec, "--mask", "bit", "--grad", in, "--workers", workers, "-o", out, in)
			works(t, "quantize", "--spec", spec, "--pack", "--workers", workers, "-o", codes, in)
			works(t, "dequantize", "--workers", workers, "-o", values, codes)
			got := [3]file{load(t, out), load(t, codes), load(t, values)}
			if workers == "1" {
				want = got
			}
			for i := range want {
				for _, name := range want[i].names {
					assert.True(t, string(want[i].tensors[name].data) == string(got[i].tensors[name].data), "%s with %s workers", name, workers)
				}
			}
		}
	}
}

// Where a format keeps factors beside its scales, a scale of 0 is no obstacle: that of a block so small that its factor is infinite.
func TestFakeQuantScaleOfZero(t *testing.T) {
	dir := t.TempDir()
	out := func(name string) string { return filepath.Join(dir, name) }
	x := of("x", safetensors.F32, []int{2, 2}, uint32(1), 0x80000001, 0x3f800000, 0x40000000)
	in := save(t, out("in"), x)
	args := []string{"--spec", `{"dtype":"float8_e4m3fn","dialect":"transformers","granularity":{"type":"per_channel","axis":0}}`}
	works(t, append([]string{"quantize", "-o", out("codes"), in}, args...)...)
	works(t, "dequantize", "-o", out("values"), out("codes"))
	works(t, append([]string{"fakequant", "-o", out("fake"), "--state-out", out("state"), in}, args...)...)
	want := of("x", safetensors.F32, []int{2, 2}, uint32(0), 0x80000000, 0x3f800000, 0x40000000)
	assert.Equal(t, want.data, load(t, out("values")).tensors["x"].data)
	assert.Equal(t, want.data, load(t, out("fake")).tensors["x"].data)
	assert.Equal(t, make([]byte, 4), load(t, out("fake")).tensors["x.scale"].data[:4])
	works(t, append([]string{"fakequant", "-o", out("again"), "--state-in", out("state"), in}, args...)...)
	assert.Equal(t, load(t, out("fake")), load(t, out("again")))
}
