package quant_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func tensor(data []float32, shape ...int) quant.Tensor[float32] {
	return quant.Tensor[float32]{Data: data, Shape: shape}
}

// A block that does not divide its axis disables the quantizer for good and says so once.
func TestMismatch(t *testing.T) {
	var log bytes.Buffer
	q := mustNew[float32](t, `{"dtype":"int4","granularity":{"type":"per_block","axis":1,"block_size":7}}`, quant.Weight)
	q.Name = "layer.0.weight"
	q.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	x := tensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	y, mask := quant.Tensor[float32]{}, quant.Mask{Kind: quant.ByteMask}
	for range 3 {
		require.NoError(t, q.FakeQuantize(&y, x, &mask))
		assert.Equal(t, x, y)
		assert.Empty(t, mask.Data)
		require.True(t, q.Disabled())
	}
	require.NoError(t, q.FakeQuantize(&y, tensor(make([]float32, 14), 2, 7), nil), "a shape that would do changes nothing")
	assert.Empty(t, mask.Data)
	require.NoError(t, q.Observe(x))
	assert.Equal(t, "level=WARN msg=\"block size does not divide its axis: the tensor is not quantized from now on\""+
		" tensor=layer.0.weight target=weight shape=[2,3] granularity=\"{\\\"type\\\":\\\"per_block\\\",\\\"axis\\\":1,\\\"block_size\\\":7}\"\n", log.String())
	err := q.Quantize(new(quant.Codes), x)
	require.ErrorIs(t, err, quant.ErrDisabled)
	require.EqualError(t, err, `quant: quantizer is disabled: tensor "layer.0.weight" is passed unquantized, want a block size that divides its axis`)
	require.ErrorIs(t, q.QuantizeValues(&y, x), quant.ErrDisabled)
	_, err = q.Params()
	require.ErrorIs(t, err, quant.ErrNotObserved)
	require.NoError(t, q.Backward(&y, x, mask))
	assert.Equal(t, x, y)
}

// A tensor without elements passes, and is not observed.
func TestEmpty(t *testing.T) {
	q := mustNew[float32](t, `{"granularity":{"type":"per_channel","axis":0}}`, quant.Weight)
	x, y := tensor(nil, 0, 3), tensor([]float32{1, 2}, 2)
	mask := quant.Mask{Kind: quant.BitMask, Data: []byte{1}}
	require.NoError(t, q.FakeQuantize(&y, x, &mask))
	assert.Equal(t, []int{0, 3}, y.Shape)
	assert.Empty(t, y.Data)
	assert.Empty(t, mask.Data)
	codes := quant.Codes{Packed: true}
	require.NoError(t, q.Quantize(&codes, x))
	assert.Empty(t, codes.Data)
	assert.Equal(t, []int{0, 3}, codes.DataShape())
	require.NoError(t, quant.Dequantize(&y, codes, 1))
	assert.Equal(t, []int{0, 3}, y.Shape)
	_, err := q.Params()
	require.ErrorIs(t, err, quant.ErrNotObserved)
	require.NoError(t, q.Backward(&y, x, mask))
}

// Each misuse has an error of its own, and leaves the quantizer as it was.
func TestMisuse(t *testing.T) {
	x := tensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	weight := func(spec string) *quant.FakeQuantizer[float32] { return mustNew[float32](t, spec, quant.Weight) }
	var y quant.Tensor[float32]
	observed := weight(`{"granularity":{"type":"per_channel","axis":0}}`)
	require.NoError(t, observed.Observe(x))
	silent := weight(`{}`)
	require.NoError(t, silent.EnableObserver(false))
	dynamic := mustNew[float32](t, `{"qparam_calculator_cls":"dynamic"}`, quant.Activation)
	given, err := quant.NewGiven[float32](quant.Spec{}, quant.Weight, quant.Params{Shape: []int{1, 1}, Scale: []float32{1}})
	require.NoError(t, err)
	for _, c := range []struct {
		err     error
		kind    error
		message string
	}{
		{observed.FakeQuantize(&y, tensor(x.Data, 2, 4), nil), quant.ErrShape, "quant: invalid shape: len(x.Data) is 6, want 8, as the shape is [2,4]"},
		{observed.FakeQuantize(&y, tensor(x.Data, -2, -3), nil), quant.ErrShape, "quant: invalid shape: x.Shape is [-2,-3], want dimensions of at least 0 and a product within an int"},
		{observed.FakeQuantize(&y, tensor(nil, math.MaxInt, 2), nil), quant.ErrShape, fmt.Sprintf("quant: invalid shape: x.Shape is [%d,2], want dimensions of at least 0 and a product within an int", math.MaxInt)},
		{observed.FakeQuantize(&y, x, &quant.Mask{Kind: 3}), quant.ErrShape, "quant: invalid shape: Mask.Kind is 3, want NoMask, ByteMask or BitMask"},
		{observed.FakeQuantize(&y, tensor(x.Data, 3, 2), nil), quant.ErrShape, "quant: invalid shape: the groups' shape of tensor is [3,1], want [2,1], that of the parameters"},
		{observed.FakeQuantize(&quant.Tensor[float32]{Data: x.Data[1:3:6]}, tensor(x.Data[:4], 2, 2), nil), quant.ErrShape, "quant: invalid shape: the destination is overlapping its source, want the same memory, or memory apart"},
		{observed.Quantize(new(quant.Codes), tensor(x.Data, 7)), quant.ErrShape, "quant: invalid shape: len(x.Data) is 6, want 7, as the shape is [7]"},
		{observed.SetGranularity(quant.PerTensor()), quant.ErrFixed, `quant: cannot be changed: granularity is {"type":"per_tensor"}, want {"type":"per_channel","axis":0}, as there are parameters already`},
		{observed.SetGranularity(quant.PerBlock(0, 0)), quant.ErrSpec, "quant: invalid spec: granularity.block_size is 0, want a positive integer"},
		{observed.Backward(&y, x, quant.Mask{Kind: quant.ByteMask, Data: make([]byte, 5)}), quant.ErrShape, "quant: invalid shape: len(Mask.Data) is 5, want 6, as the shape is [2,3]"},
		{observed.Backward(&y, x, quant.Mask{Data: make([]byte, 6)}), quant.ErrShape, "quant: invalid shape: len(Mask.Data) is 6, want 0, as the shape is [2,3]"},
		{observed.Backward(&y, tensor(x.Data, 2), quant.Mask{}), quant.ErrShape, "quant: invalid shape: len(dy.Data) is 6, want 2, as the shape is [2]"},
		{weight(`{"granularity":{"type":"per_channel","axis":2}}`).Observe(x), quant.ErrShape, "quant: invalid shape: granularity.axis is 2, want -2 to 1, as the tensor's shape is [2,3]"},
		{weight(`{"granularity":{"type":"per_block","axis":-3,"block_size":1}}`).Observe(x), quant.ErrShape, "quant: invalid shape: granularity.axis is -3, want -2 to 1, as the tensor's shape is [2,3]"},
		{weight(`{"granularity":{"type":"per_channel","axis":0}}`).Observe(tensor(x.Data[:1])), quant.ErrShape, "quant: invalid shape: granularity.axis is 0, want none, as the tensor is a scalar"},
		{weight(`{"granularity":{"type":"per_block","block_size":[1]}}`).Observe(x), quant.ErrShape, "quant: invalid shape: granularity.block_size is [1], want one for each axis of the tensor's shape [2,3]"},
		{weight(`{"dtype":"float4_e2m1fn"}`).Quantize(&quant.Codes{Packed: true}, x), quant.ErrShape, "quant: invalid shape: shape is [2,3], want an even last axis, as float4 is packed in pairs"},
		{observed.QuantizeValues(&quant.Tensor[float32]{Data: x.Data[1:5]}, tensor(x.Data[:4], 2, 2)), quant.ErrShape, "quant: invalid shape: the destination is overlapping its source, want the same memory, or memory apart"},
		{observed.QuantizeValues(&y, tensor(x.Data, 6, 1)), quant.ErrShape, "quant: invalid shape: the groups' shape of tensor is [6,1], want [2,1], that of the parameters"},
		{observed.Backward(&quant.Tensor[float32]{Data: x.Data[2:6]}, tensor(x.Data[:4], 2, 2), quant.Mask{}), quant.ErrShape, "quant: invalid shape: the destination is overlapping its source, want the same memory, or memory apart"},
		{observed.Observe(tensor(x.Data, 1, 6)), quant.ErrShape, "quant: invalid shape: the groups' shape of tensor is [1,1], want [2,1], that of the parameters"},
		{silent.FakeQuantize(&y, x, nil), quant.ErrNotObserved, "quant: no parameters yet: tensor is not observed, want a forward pass with the observer on first"},
		{silent.Quantize(new(quant.Codes), x), quant.ErrNotObserved, "quant: no parameters yet: tensor is not observed, want a forward pass with the observer on first"},
		{dynamic.EnableObserver(false), quant.ErrFixed, "quant: cannot be changed: observer is off, want on, as the calculator is dynamic"},
		{dynamic.SetExportMode(true), quant.ErrFixed, "quant: cannot be changed: export mode is on, want off, as the calculator is dynamic"},
		{given.EnableObserver(true), quant.ErrFixed, "quant: cannot be changed: observer is on, want off, as the parameters are given"},
		{given.LoadState(given.State()), quant.ErrFixed, "quant: cannot be changed: state is loaded, want none, as the parameters are given"},
		{observed.SetSchedule(quant.QATSchedule{EnableObserver: -1}, 0), quant.ErrSpec, "quant: invalid spec: enable_observer is -1, want at least 0"},
		{observed.SetSchedule(quant.QATSchedule{EnableObserver: 2, EnableFakeQuant: 1}, 0), quant.ErrSpec, "quant: invalid spec: enable_fake_quant is 1, want at least enable_observer"},
		{observed.SetSchedule(quant.QATSchedule{}, -1), quant.ErrSpec, "quant: invalid spec: step is -1, want at least 0"},
		{observed.SetSchedule(quant.QATSchedule{EnableFakeQuant: 3, DisableObserver: 2}, 0), quant.ErrSpec, "quant: invalid spec: disable_observer is 2, want more than enable_observer and at least enable_fake_quant, or 0 for never"},
	} {
		require.ErrorIs(t, c.err, c.kind, c.message)
		assert.EqualError(t, c.err, c.message)
	}
	assert.Equal(t, []float32{1, 2, 3, 4, 5, 6}, x.Data)
	p, err := observed.Params()
	require.NoError(t, err)
	assert.Equal(t, []int{2, 1}, p.Shape)
	require.NoError(t, silent.EnableObserver(true))
	require.NoError(t, silent.FakeQuantize(&y, x, nil))
	require.NoError(t, dynamic.EnableObserver(true))
	require.NoError(t, dynamic.SetExportMode(false))
}

// The switches: what is off has no effect, and what is observed while fake-quantization is off counts.
func TestSwitches(t *testing.T) {
	q := mustNew[float32](t, `{"qparam_calculator_cls":"global_minmax"}`, quant.Activation)
	assert.Equal(t, "qformulation=zp, observer=on, fake_quant=on", q.String())
	scale := func() float32 {
		p, err := q.Params()
		require.NoError(t, err)
		return p.Scale[0]
	}
	pass := func(x float32) float32 {
		var y quant.Tensor[float32]
		require.NoError(t, q.FakeQuantize(&y, tensor([]float32{x}, 1), nil))
		return y.Data[0]
	}
	q.EnableFakeQuant(false)
	assert.Equal(t, float32(127.5), pass(127.5))
	assert.Equal(t, float32(1), scale())
	q.EnableFakeQuant(true)
	assert.Equal(t, float32(3), pass(3.25))
	require.NoError(t, q.EnableObserver(false))
	assert.Equal(t, float32(127), pass(255), "clamped")
	assert.Equal(t, float32(1), scale())
	assert.Equal(t, "qformulation=zp, observer=off, fake_quant=on", q.String())
	require.NoError(t, q.EnableObserver(true))
	require.NoError(t, q.SetExportMode(true))
	assert.Equal(t, float32(127), pass(255))
	require.NoError(t, q.SetExportMode(false))
	pass(255)
	assert.Equal(t, float32(2), scale())
	assert.True(t, q.ObserverEnabled() && q.FakeQuantEnabled() && !q.Disabled())
}

// Once both ends are fixed and a tensor was seen, parameters are frozen, whatever the tensors.
func TestFrozen(t *testing.T) {
	q := mustNew[float32](t, `{"float_range":[-127.5,127.5],"qparam_calculator_cls":"moving_average"}`, quant.Activation)
	for range 3 {
		require.NoError(t, q.Observe(tensor([]float32{1000}, 1)))
		p, err := q.Params()
		require.NoError(t, err)
		assert.Equal(t, []float32{1}, p.Scale)
	}
}

func TestSetGranularity(t *testing.T) {
	q := mustNew[float32](t, `{}`, quant.Weight)
	x := tensor([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	require.NoError(t, q.EnableObserver(false))
	q.EnableFakeQuant(false)
	require.NoError(t, q.Observe(x), "not observed: the shape is known, and still the granularity can change")
	require.NoError(t, q.SetGranularity(quant.PerChannel(-1)))
	require.NoError(t, q.EnableObserver(true))
	require.NoError(t, q.Observe(x))
	p, err := q.Params()
	require.NoError(t, err)
	assert.Equal(t, []int{1, 3}, p.Shape)
	assert.Equal(t, quant.PerChannel(-1), q.Spec().Granularity)
}

// A dynamic quantizer takes tensors of any shape.
func TestDynamicShapes(t *testing.T) {
	q := mustNew[float32](t, `{"granularity":{"type":"per_channel","axis":0},"qparam_calculator_cls":"dynamic"}`, quant.Activation)
	for n := 1; n < 5; n++ {
		require.NoError(t, q.Observe(tensor(make([]float32, 2*n), n, 2)))
		p, err := q.Params()
		require.NoError(t, err)
		assert.Equal(t, []int{n, 1}, p.Shape)
	}
}

func TestSchedule(t *testing.T) {
	q := mustNew[float32](t, `{}`, quant.Activation)
	q.Step()
	assert.True(t, q.ObserverEnabled() && q.FakeQuantEnabled(), "without a schedule a step is nothing")
	require.NoError(t, q.SetSchedule(quant.QATSchedule{EnableObserver: 1, EnableFakeQuant: 2, DisableObserver: 4}, 0))
	var observer, fake []bool
	for range 6 {
		observer, fake = append(observer, q.ObserverEnabled()), append(fake, q.FakeQuantEnabled())
		q.Step()
	}
	assert.Equal(t, []bool{false, true, true, true, false, false}, observer)
	assert.Equal(t, []bool{false, false, true, true, true, true}, fake)

	require.NoError(t, q.SetSchedule(quant.QATSchedule{}, 0))
	for range 3 {
		assert.True(t, q.ObserverEnabled() && q.FakeQuantEnabled())
		q.Step()
	}
	dynamic := mustNew[float32](t, `{"qparam_calculator_cls":"dynamic"}`, quant.Activation)
	require.NoError(t, dynamic.SetSchedule(quant.QATSchedule{EnableObserver: 1, EnableFakeQuant: 1}, 0))
	assert.True(t, dynamic.ObserverEnabled() && !dynamic.FakeQuantEnabled())
}

// Given parameters are checked: count, sign, range.
func TestGiven(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		spec    string
		params  quant.Params
		message string
	}{
		{`{}`, quant.Params{Shape: []int{2, 1}, Scale: []float32{1}}, "len(Params.Scale) is 1, want 2, as Params.Shape is [2,1]"},
		{`{}`, quant.Params{Shape: []int{1}, Scale: []float32{nan}}, "Params.Scale[0] is NaN, want a finite number"},
		{`{}`, quant.Params{Shape: []int{1}, Scale: []float32{inf}}, "Params.Scale[0] is +Inf, want a finite number"},
		{`{"dtype":"float4_e2m1fn"}`, quant.Params{Shape: []int{1}, Scale: []float32{0}}, "Params.Scale[0] is 0, want a positive number"},
		{`{}`, quant.Params{Shape: []int{2}, Scale: []float32{1, 1}}, `Params.Shape is [2], want one that granularity {"type":"per_tensor"} makes of a tensor`},
		{`{"granularity":{"type":"per_channel","axis":1}}`, quant.Params{Shape: []int{2, 1}, Scale: []float32{1, 1}}, `Params.Shape is [2,1], want one that granularity {"type":"per_channel","axis":1} makes of a tensor`},
		{`{"granularity":{"type":"per_channel","axis":1}}`, quant.Params{Scale: []float32{1}}, `Params.Shape is [], want one that granularity {"type":"per_channel","axis":1} makes of a tensor`},
		{`{"granularity":{"type":"per_block","axis":-1,"block_size":4}}`, quant.Params{Shape: []int{1, 1, 2, 1}, Scale: []float32{1, 1}}, `Params.Shape is [1,1,2,1], want one that granularity {"type":"per_block","axis":-1,"block_size":4} makes of a tensor`},
		{`{"granularity":{"type":"per_block","block_size":[-1,4]}}`, quant.Params{Shape: []int{2, 1}, Scale: []float32{1, 1}}, `Params.Shape is [2,1], want one that granularity {"type":"per_block","block_size":[-1,4]} makes of a tensor`},
		{`{"granularity":{"type":"per_block","block_size":[-1,4]}}`, quant.Params{Shape: []int{1}, Scale: []float32{1}}, `Params.Shape is [1], want one that granularity {"type":"per_block","block_size":[-1,4]} makes of a tensor`},
		{`{"dtype":"float4_e2m1fn"}`, quant.Params{Shape: []int{1}, Scale: []float32{3}}, "Params.Scale[0] is 3, want a power of two from 2^-126 to 2^127, as scale_dtype is float8_e8m0fnu"},
		{`{"dtype":"float4_e2m1fn"}`, quant.Params{Shape: []int{1}, Scale: []float32{0x1p-127}}, "Params.Scale[0] is 5.877472e-39, want a power of two from 2^-126 to 2^127, as scale_dtype is float8_e8m0fnu"},
		{`{"dtype":"float8_e5m2"}`, quant.Params{Shape: []int{1}, Scale: []float32{1}, ZeroPoint: []int32{0}}, "Params is with a ZeroPoint or a MinVal, want neither, as dtype is float8_e5m2"},
		{`{}`, quant.Params{Shape: []int{1}, Scale: []float32{1}, ZeroPoint: []int32{0, 0}}, "len(Params.ZeroPoint) is 2, want 1, as Params.Shape is [1], or 0"},
		{`{"dtype":"uint4"}`, quant.Params{Shape: []int{1}, Scale: []float32{1}, ZeroPoint: []int32{16}}, "Params.ZeroPoint[0] is 16, want 0 to 15, as dtype is uint4"},
		{`{"qscheme":"symmetric_with_clipping"}`, quant.Params{Shape: []int{1}, Scale: []float32{1}, ZeroPoint: []int32{-128}}, "Params.ZeroPoint[0] is -128, want -127 to 127, as dtype is int8"},
		{`{"qformulation":"minval"}`, quant.Params{Shape: []int{1}, Scale: []float32{1}}, "len(Params.MinVal) is 0, want 1, as Params.Shape is [1]"},
		{`{"qformulation":"minval"}`, quant.Params{Shape: []int{1}, Scale: []float32{1}, MinVal: []float32{nan}}, "Params.MinVal[0] is NaN, want a finite number"},
		{`{}`, quant.Params{Shape: []int{1}, Scale: []float32{1}, MinVal: []float32{1, 2}}, "len(Params.MinVal) is 2, want 1, as Params.Shape is [1]"},
	} {
		s, err := quant.ParseSpec([]byte(c.spec))
		require.NoError(t, err)
		_, err = quant.NewGiven[float32](s, quant.Weight, c.params)
		require.ErrorIs(t, err, quant.ErrParams, c.message)
		assert.EqualError(t, err, "quant: invalid parameters: "+c.message)
	}
	_, err := quant.NewGiven[float32](quant.Spec{}, quant.Weight, quant.Params{Shape: []int{-1}})
	require.ErrorIs(t, err, quant.ErrShape)
	_, err = quant.NewGiven[float32](quant.Spec{Calculator: quant.Algorithm{Name: "dynamic"}}, quant.Activation, quant.Params{})
	require.ErrorIs(t, err, quant.ErrSpec)
	_, err = quant.NewGiven[float32](quant.Spec{DType: 99}, quant.Activation, quant.Params{})
	require.ErrorIs(t, err, quant.ErrSpec)

	// The parameters are copied, and never move.
	p := quant.Params{Shape: []int{1, 1}, Scale: []float32{2}}
	q, err := quant.NewGiven[float32](quant.Spec{}, quant.Weight, p)
	require.NoError(t, err)
	p.Scale[0] = 3
	var y quant.Tensor[float32]
	require.NoError(t, q.FakeQuantize(&y, tensor([]float32{7, 1000}, 1, 2), nil))
	assert.Equal(t, []float32{8, 254}, y.Data)
	static := mustNew[float32](t, `{}`, quant.Weight)
	require.NoError(t, static.LoadState(q.State()))
	assert.Equal(t, q.String(), static.String(), "the observer is off")
	require.NoError(t, static.FakeQuantize(&y, tensor([]float32{7, 1000}, 1, 2), nil))
	assert.Equal(t, []float32{8, 254}, y.Data)
}

// Codes may come from anywhere, and are checked.
func TestCodesErrors(t *testing.T) {
	good := quant.Codes{Shape: []int{2, 2}, Data: make([]byte, 4), Params: quant.Params{Shape: []int{2, 1}, Scale: []float32{1, 2}}}
	var y quant.Tensor[float32]
	require.NoError(t, quant.Dequantize(&y, good, 1))
	for _, c := range []struct {
		spoil   func(c *quant.Codes)
		kind    error
		message string
	}{
		{func(c *quant.Codes) { c.Spec.DType = 77 }, quant.ErrSpec, ""},
		{func(c *quant.Codes) { c.Shape = []int{2, -2} }, quant.ErrShape, "quant: invalid shape: Codes.Shape is [2,-2], want dimensions of at least 0 and a product within an int"},
		{func(c *quant.Codes) { c.Data = c.Data[:3] }, quant.ErrShape, "quant: invalid shape: len(Codes.Data) is 3, want 4, as Codes.Shape is [2,2] and DType int8"},
		{func(c *quant.Codes) { c.Spec.DType, c.Packed = quant.Int4, true }, quant.ErrShape, "quant: invalid shape: len(Codes.Data) is 4, want 2, as Codes.Shape is [2,2] and DType int4"},
		{func(c *quant.Codes) { c.Params.Shape = []int{2} }, quant.ErrShape, "quant: invalid shape: Params.Shape is [2], want a number of groups for each axis of Codes.Shape, [2,2]"},
		{func(c *quant.Codes) { c.Params.Shape = []int{3, 1} }, quant.ErrShape, "quant: invalid shape: Params.Shape is [3,1], want divisors of Codes.Shape, [2,2]"},
		{func(c *quant.Codes) { c.Params.Shape = []int{0, 1} }, quant.ErrShape, "quant: invalid shape: Params.Shape is [0,1], want divisors of Codes.Shape, [2,2]"},
		{func(c *quant.Codes) { c.Params.Scale = []float32{1} }, quant.ErrParams, "quant: invalid parameters: len(Params.Scale) is 1, want 2, as Params.Shape is [2,1]"},
		{func(c *quant.Codes) { c.Params.ZeroPoint = []int32{1, 128} }, quant.ErrParams, "quant: invalid parameters: Params.ZeroPoint[1] is 128, want -128 to 127, as dtype is int8"},
		{func(c *quant.Codes) {
			c.Spec.DType, c.Packed, c.Shape, c.Data = quant.Float4E2M1FN, true, []int{2, 1}, c.Data[:2]
		}, quant.ErrShape, "quant: invalid shape: shape is [2,1], want an even last axis, as float4 is packed in pairs"},
	} {
		bad := good
		bad.Params.Shape = []int{2, 1}
		c.spoil(&bad)
		err := quant.Dequantize(&y, bad, 1)
		require.ErrorIs(t, err, c.kind, c.message)
		if c.message != "" {
			assert.EqualError(t, err, c.message)
		}
	}
	_, err := quant.Codes{Shape: []int{1}}.Pack()
	require.ErrorIs(t, err, quant.ErrShape)
}

// A row of packed codes begins at a byte, and a scalar has one.
func TestPackedRows(t *testing.T) {
	q := mustNew[float32](t, `{"dtype":"int4","float_range":[-7.5,7.5]}`, quant.Weight)
	codes := quant.Codes{Packed: true}
	require.NoError(t, q.Quantize(&codes, tensor([]float32{1, 2, -3, 4, 5, -6}, 2, 3)))
	assert.Equal(t, []int{2, 2}, codes.DataShape())
	assert.Equal(t, []byte{0x21, 0x0d, 0x54, 0x0a}, codes.Data)
	back, err := codes.Unpack()
	require.NoError(t, err)
	signed, err := back.Int8()
	require.NoError(t, err)
	assert.Equal(t, []int8{1, 2, -3, 4, 5, -6}, signed)
	_, err = codes.Int8()
	require.ErrorIs(t, err, quant.ErrSpec)
	require.EqualError(t, err, "quant: invalid spec: Codes.Packed is true, want false: Unpack gives each code a byte")
	same, err := back.Unpack()
	require.NoError(t, err)
	assert.Equal(t, back, same)

	q = mustNew[float32](t, `{"dtype":"uint2","float_range":[-1.5,1.5]}`, quant.Weight)
	require.NoError(t, q.Quantize(&codes, tensor([]float32{-1})))
	assert.Equal(t, []int{1}, codes.DataShape())
	assert.Equal(t, []byte{1}, codes.Data)
	require.NoError(t, quant.Dequantize(new(quant.Tensor[float32]), codes, 1))
}

// One scale for the tensor serves tensors of any rank, whatever its Shape, and codes that come from elsewhere.
func TestOneScale(t *testing.T) {
	for _, shape := range [][]int{nil, {}, {1}, {1, 1}, {1, 1, 1}} {
		q, err := quant.NewGiven[float32](quant.Spec{}, quant.Weight, quant.Params{Shape: shape, Scale: []float32{0.5}})
		require.NoError(t, err, "%v", shape)
		for _, x := range []quant.Tensor[float32]{tensor([]float32{1}), tensor([]float32{1, -2}, 2), tensor([]float32{1, -2, 3, 4}, 2, 2)} {
			var codes quant.Codes
			require.NoError(t, q.Quantize(&codes, x))
			assert.Len(t, codes.Params.Shape, len(x.Shape))
			var y quant.Tensor[float32]
			codes.Params.Shape = nil
			require.NoError(t, quant.Dequantize(&y, codes, 1))
			assert.Equal(t, x.Data, y.Data)
			p, err := quant.PiecesOf[float32](codes)
			require.NoError(t, err)
			clear(y.Data)
			require.NoError(t, p.Dequantize(y.Data, p.Whole(), codes.Data, codes.Params))
			assert.Equal(t, x.Data, y.Data)
		}
	}
}

// Any finite scale serves to dequantize, and any but 0 to quantize.
func TestAnyScale(t *testing.T) {
	codes := quant.Codes{Shape: []int{3, 2}, Data: []byte{1, 2, 3, 4, 5, 255}, Params: quant.Params{Shape: []int{3, 1}, Scale: []float32{0, -2, 0x1p-140}}}
	want := []float32{0, 0, -6, -8, 5 * 0x1p-140, -0x1p-140}
	var y quant.Tensor[float32]
	require.NoError(t, quant.Dequantize(&y, codes, 1))
	assert.Equal(t, want, y.Data)
	p, err := quant.PiecesOf[float32](codes)
	require.NoError(t, err)
	clear(y.Data)
	require.NoError(t, p.Dequantize(y.Data, p.Whole(), codes.Data, codes.Params))
	assert.Equal(t, want, y.Data)

	spec := quant.Spec{Granularity: quant.PerChannel(0)}
	q, err := quant.NewGiven[float32](spec, quant.Weight, codes.Params)
	require.NoError(t, err)
	x := tensor([]float32{1, 2, 3, 4, 5, 6}, 3, 2)
	for _, err := range []error{q.Quantize(new(quant.Codes), x), q.QuantizeValues(&y, x), q.FakeQuantize(&y, x, nil)} {
		require.ErrorIs(t, err, quant.ErrParams)
		require.EqualError(t, err, "quant: invalid parameters: Params.Scale[0] is 0, want another number, as elements are divided by it")
	}
	codes.Params.Scale[0] = -1
	require.NoError(t, q.SetParams(codes.Params))
	require.NoError(t, q.FakeQuantize(&y, x, nil))
	assert.Equal(t, []float32{1, 2, 4, 4, 127 * 0x1p-140, 127 * 0x1p-140}, y.Data)
}

// What is not there is an error that names it, not a panic.
func TestNil(t *testing.T) {
	var none *quant.FakeQuantizer[float32]
	q := mustNew[float32](t, `{}`, quant.Weight)
	x, y := tensor([]float32{1}, 1), quant.Tensor[float32]{}
	p, err := quant.NewPieces[float32](quant.Spec{}, quant.Weight, []int{1}, false)
	require.NoError(t, err)
	var noPieces *quant.Pieces[float32]
	_, noParams := none.Params()
	_, noPart := noPieces.Params(nil, quant.Part{})
	_, noRanges := p.Params(nil, p.Whole())
	for what, errs := range map[string][]error{
		"FakeQuantizer": {none.FakeQuantize(&y, x, nil), none.Observe(x), none.Quantize(new(quant.Codes), x), none.QuantizeValues(&y, x),
			none.Backward(&y, x, quant.Mask{}), none.BackwardParams(&y, new(quant.ParamGradients), x, x, 1), noParams, none.SetSchedule(quant.QATSchedule{}, 0),
			none.LoadState(nil), none.EnableObserver(true), none.SetExportMode(true), none.SetGranularity(quant.PerTensor()),
			none.ObserveRanges(nil, nil), none.SetParams(quant.Params{})},
		"dst":   {q.FakeQuantize(nil, x, nil), q.Quantize(nil, x), q.QuantizeValues(nil, x), quant.Dequantize[float32](nil, quant.Codes{}, 1)},
		"dx":    {q.Backward(nil, x, quant.Mask{}), q.BackwardParams(nil, new(quant.ParamGradients), x, x, 1)},
		"grads": {q.BackwardParams(&y, nil, x, x, 1)},
		"Pieces": {noPieces.Observe(new(quant.Ranges), p.Whole(), x.Data), noPieces.Quantize(nil, new(quant.Params), p.Whole(), x.Data),
			noPieces.QuantizeBy(quant.Params{}, nil, p.Whole(), x.Data), noPieces.Dequantize(nil, p.Whole(), nil, quant.Params{}), noPart},
		"Params": {p.Quantize(make([]byte, 1), nil, p.Whole(), x.Data)},
		"Ranges": {p.Observe(nil, p.Whole(), x.Data), noRanges, q.ObserveRanges([]int{1}, nil)},
	} {
		for i, err := range errs {
			require.ErrorIs(t, err, quant.ErrNil, "%s %d", what, i)
			assert.EqualError(t, err, "quant: nothing is pointed to: "+what+" is nil, want a pointer to one")
		}
	}
	_, err = q.Params()
	require.ErrorIs(t, err, quant.ErrNotObserved, "nothing has changed")
}

// A DType that there is not has no size and no JSON, and is an error wherever it is used.
func TestUnknownDType(t *testing.T) {
	const none = quant.DType(99)
	assert.Zero(t, none.Bits())
	assert.Equal(t, none, none.Storage())
	assert.False(t, none.IsFloat())
	lo, hi := quant.Spec{DType: none}.QuantRange()
	assert.Zero(t, lo)
	assert.Zero(t, hi)
	codes := quant.Codes{Spec: quant.Spec{DType: none}, Shape: []int{2}, Packed: true}
	assert.Nil(t, codes.DataShape())
	_, pack := codes.Pack()
	_, unpack := codes.Unpack()
	_, pieces := quant.PiecesOf[float32](codes)
	_, signed := codes.Int8()
	for _, err := range []error{pack, unpack, pieces, signed, quant.Dequantize(new(quant.Tensor[float32]), codes, 1)} {
		require.ErrorIs(t, err, quant.ErrSpec)
	}
	for _, s := range []quant.Spec{{DType: none}, {Scheme: 99}, {Formulation: 99}, {ScaleDType: 99}} {
		_, err := s.MarshalJSON()
		require.ErrorIs(t, err, quant.ErrSpec)
		assert.Contains(t, s.String(), "99")
	}
}
