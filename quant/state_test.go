package quant_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
)

// The state's names, types and shapes are the reference's.
func TestStateNames(t *testing.T) {
	q := mustNew[float16.Float16](t, `{"granularity":{"type":"per_channel","axis":0}}`, quant.Activation)
	before := quant.State{
		"fake_quant_enabled":             {DType: "U8", Shape: []int{1}, Data: []byte{1}},
		"observer_enabled":               {DType: "U8", Shape: []int{1}, Data: []byte{1}},
		"_disabled":                      {DType: "BOOL", Shape: []int{}, Data: []byte{0}},
		"qparams_calculator.scale":       {DType: "F32", Shape: []int{0}, Data: []byte{}},
		"qparams_calculator.zero_point":  {DType: "I32", Shape: []int{0}, Data: []byte{}},
		"qparams_calculator.minval":      {DType: "F32", Shape: []int{0}, Data: []byte{}},
		"qparams_calculator.running_min": {DType: "F32", Shape: []int{0}, Data: []byte{}},
		"qparams_calculator.running_max": {DType: "F32", Shape: []int{0}, Data: []byte{}},
	}
	assert.Equal(t, before, q.State())
	require.NoError(t, q.LoadState(before))
	require.NoError(t, q.Observe(quant.Tensor[float16.Float16]{Data: []float16.Float16{0xbc00, 0x4000}, Shape: []int{2, 1}})) // -1, 2
	s := q.State()
	assert.Equal(t, quant.StateTensor{DType: "F32", Shape: []int{2, 1}, Data: []byte{0x00, 0x80, 0x00, 0x3c, 0x00, 0x80, 0x80, 0x3c}}, s["qparams_calculator.scale"],
		"1/127.5 and 2/127.5 rounded to float16")
	assert.Equal(t, quant.StateTensor{DType: "I32", Shape: []int{2, 1}, Data: make([]byte, 8)}, s["qparams_calculator.zero_point"])
	assert.Equal(t, quant.StateTensor{DType: "F32", Shape: []int{2, 1}, Data: []byte{0, 0, 0x80, 0xbf, 0, 0, 0, 0xc0}}, s["qparams_calculator.minval"])
	assert.Equal(t, quant.StateTensor{DType: "F16", Shape: []int{2, 1}, Data: []byte{0, 0xbc, 0, 0}}, s["qparams_calculator.running_min"])
	assert.Equal(t, quant.StateTensor{DType: "F16", Shape: []int{2, 1}, Data: []byte{0, 0, 0, 0x40}}, s["qparams_calculator.running_max"])

	names := func(spec string, target quant.Target) []string {
		var names []string
		for _, n := range []string{"scale", "zero_point", "minval", "running_min", "running_max"} {
			if _, ok := mustNew[float32](t, spec, target).State()["qparams_calculator."+n]; ok {
				names = append(names, n)
			}
		}
		return names
	}
	assert.Equal(t, []string{"scale", "zero_point", "minval"}, names(`{}`, quant.Weight))
	assert.Equal(t, []string{"scale"}, names(`{"dtype":"float8_e5m2"}`, quant.LUT))
	assert.Equal(t, []string{"scale", "running_min", "running_max"}, names(`{"dtype":"float8_e5m2"}`, quant.Activation))
	assert.Empty(t, names(`{"qparam_calculator_cls":"dynamic"}`, quant.Activation))
	fixed := mustNew[bf16.BFloat16](t, `{"float_range":[-1,1]}`, quant.Activation)
	require.NoError(t, fixed.Observe(random[bf16.BFloat16](rand.New(rand.NewPCG(1, 1)), false, 3)))
	assert.Equal(t, "F32", fixed.State()["qparams_calculator.running_max"].DType, "both ends are fixed")
}

// A reloaded quantizer goes on as one that never stopped.
func TestStateRoundTrip(t *testing.T) {
	for _, spec := range []string{
		`{"granularity":{"type":"per_channel","axis":-1},"qscheme":"asymmetric"}`,
		`{"granularity":{"type":"per_block","axis":1,"block_size":4},"qparam_calculator_cls":"global_minmax","qformulation":"minval"}`,
		`{"dtype":"float8_e4m3fn","float_range":[-0.9,null]}`,
		`{"dtype":"int4","float_range":[-0.9,0.9]}`,
		`{"dtype":"float4_e2m1fn","qparam_calculator_cls":"dynamic"}`,
		`{"qparam_calculator_cls":"static"}`,
		`{"qparam_calculator_cls":{"name":"histogram","range":{"name":"percentile","num":9,"den":10}}}`,
		`{"dtype":"float8_e4m3fn","dialect":"transformers"}`,
		`{"dtype":"float8_e4m3fn","dialect":"compressed_tensors","scale_dtype":"float8_e8m0fnu"}`,
	} {
		testRoundTrip[float32](t, spec)
		testRoundTrip[float16.Float16](t, spec)
		testRoundTrip[bf16.BFloat16](t, spec)
	}
}

func testRoundTrip[T kernels.Float](t *testing.T, spec string) {
	r := rand.New(rand.NewPCG(11, 12))
	whole := mustNew[T](t, spec, quant.Activation)
	for step := range 6 {
		if step == 4 {
			whole.EnableFakeQuant(false)
		}
		again := mustNew[T](t, spec, quant.Activation)
		require.NoError(t, again.LoadState(whole.State()))
		assert.Equal(t, whole.String(), again.String())
		x := random[T](r, false, 5, 8, 3)
		var y, z quant.Tensor[T]
		require.NoError(t, whole.FakeQuantize(&y, x, nil))
		require.NoError(t, again.FakeQuantize(&z, x, nil))
		requireSame(t, spec, y.Data, z.Data)
		assert.Equal(t, whole.State(), again.State(), spec)
		assert.Subset(t, quant.StateNames(), slices.Collect(maps.Keys(whole.State())), spec)
	}
	odd := mustNew[T](t, `{"granularity":{"type":"per_block","axis":0,"block_size":2}}`, quant.Activation)
	other := mustNew[T](t, `{"granularity":{"type":"per_block","axis":0,"block_size":2}}`, quant.Activation)
	require.NoError(t, odd.Observe(random[T](r, false, 3)))
	require.NoError(t, other.LoadState(odd.State()))
	assert.True(t, other.Disabled())
}

// What does not fit is refused by name, and changes nothing.
func TestStateErrors(t *testing.T) {
	observed := func() *quant.FakeQuantizer[float32] {
		q := mustNew[float32](t, `{"granularity":{"type":"per_channel","axis":0}}`, quant.Activation)
		require.NoError(t, q.Observe(tensor([]float32{1, 2}, 2, 1)))
		return q
	}
	for _, c := range []struct {
		spoil   func(s quant.State)
		message string
	}{
		{func(s quant.State) { delete(s, "observer_enabled") }, "observer_enabled is missing, want U8 [1]"},
		{func(s quant.State) { delete(s, "qparams_calculator.scale") }, "qparams_calculator.scale is missing, want F32 []"},
		{func(s quant.State) { s["scale"] = quant.StateTensor{} }, "scale is in the state, want not there, as the quantizer's spec has no such tensor"},
		{set("observer_enabled", "U8", 2, []int{1}), "observer_enabled is 2, want 0 or 1"},
		{set("_disabled", "U8", 0, []int{}), "_disabled is U8 [], want BOOL []"},
		{set("fake_quant_enabled", "U8", 1, []int{2}), "fake_quant_enabled is U8 [2], want U8 [1]"},
		{set("qparams_calculator.minval", "F64", 1, []int{2, 1}), "qparams_calculator.minval is F64 [2,1], want F32 [2,1]"},
		{set("qparams_calculator.zero_point", "I32", 0, []int{2}), "qparams_calculator.zero_point is I32 [2], want I32 [2,1]"},
		{set("qparams_calculator.running_max", "F32", 0, []int{2, 1}), "qparams_calculator.running_max is 1 bytes long, want 2 of 4 bytes, as it is F32 [2,1]"},
		{func(s quant.State) {
			s["qparams_calculator.zero_point"] = quant.StateTensor{DType: "I32", Shape: []int{2, 1}, Data: []byte{0, 0, 0, 0, 255, 0, 0, 0}}
		}, "qparams_calculator.zero_point[1] is 255, want -128 to 127, as dtype is int8"},
		{func(s quant.State) {
			s["qparams_calculator.scale"] = quant.StateTensor{DType: "F32", Shape: []int{2, 1}, Data: make([]byte, 8)}
		}, "qparams_calculator.scale[0] is 0, want a positive number"},
		{func(s quant.State) {
			for _, n := range []string{"scale", "zero_point", "minval", "running_min", "running_max"} {
				v := s["qparams_calculator."+n]
				v.Shape = []int{math.MaxInt, 2}
				s["qparams_calculator."+n] = v
			}
		}, ""},
	} {
		q := observed()
		s := maps.Clone(q.State())
		c.spoil(s)
		err := q.LoadState(s)
		require.ErrorIs(t, err, quant.ErrState, c.message)
		if c.message != "" {
			assert.EqualError(t, err, "quant: invalid state: "+c.message)
		}
		assert.Equal(t, observed().State(), q.State())
	}
	dynamic := mustNew[float32](t, `{"qparam_calculator_cls":"dynamic"}`, quant.Activation)
	s := dynamic.State()
	set("observer_enabled", "U8", 0, []int{1})(s)
	require.EqualError(t, dynamic.LoadState(s), "quant: invalid state: observer_enabled is 0, want 1, as the calculator is dynamic")
}

// set replaces a tensor by one of a single byte.
func set(name, dtype string, value byte, shape []int) func(quant.State) {
	return func(s quant.State) { s[name] = quant.StateTensor{DType: dtype, Shape: shape, Data: []byte{value}} }
}
