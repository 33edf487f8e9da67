package quant_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/lowbit-go/lowbit/quant"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSpecDefaults(t *testing.T) {
	s, err := quant.ParseSpec([]byte(`{}`))
	require.NoError(t, err)
	assert.Equal(t, quant.Spec{}, s)
	assert.JSONEq(t, `{"dtype":"int8","qscheme":"symmetric","qformulation":"zp","granularity":{"type":"per_tensor"},"float_range":[null,null],
		"scale_dtype":null,"fake_quantize_cls":"default","qparam_calculator_cls":"default","range_calculator_cls":"minmax"}`, s.String())
	assert.JSONEq(t, `{"dtype":"int8","qscheme":"symmetric","qformulation":"zp","granularity":{"type":"per_channel","axis":0},"float_range":[null,null],
		"scale_dtype":null,"fake_quantize_cls":"default","qparam_calculator_cls":"static","range_calculator_cls":"minmax"}`, quant.DefaultWeightSpec().String())
	assert.JSONEq(t, `{"dtype":"int8","qscheme":"symmetric","qformulation":"zp","granularity":{"type":"per_tensor"},"float_range":[null,null],
		"scale_dtype":null,"fake_quantize_cls":"default","qparam_calculator_cls":"moving_average","range_calculator_cls":"minmax"}`, quant.DefaultActivationSpec().String())
}

// What JSON says is the Spec that Go says, and back.
func TestSpecJSON(t *testing.T) {
	for text, want := range map[string]quant.Spec{
		`{"dtype":"int4","qscheme":"asymmetric","qformulation":"minval","granularity":{"type":"per_block","axis":1,"block_size":32}}`: {
			DType: quant.Int4, Scheme: quant.Asymmetric, Formulation: quant.MinVal, Granularity: quant.PerBlock(1, 32)},
		`{"dtype":"uint2","qscheme":"symmetric_with_clipping","granularity":{"type":"per_channel","axis":-1}}`: {
			DType: quant.Uint2, Scheme: quant.SymmetricWithClipping, Granularity: quant.PerChannel(-1)},
		`{"granularity":{"type":"per_block","block_size":[4,-1],"axis":null},"float_range":[-1,null]}`: {
			Granularity: quant.PerBlocks(4, -1), FloatRange: quant.FixedMin(-1)},
		`{"granularity":{"type":"per_tensor","axis":null},"float_range":[null,0.5],"scale_dtype":null}`: {FloatRange: quant.FixedMax(0.5)},
		`{"dtype":"float8_e4m3","scale_dtype":"float8_e8m0","float_range":[-2,3]}`: {
			DType: quant.Float8E4M3FN, ScaleDType: quant.ScaleE8M0, FloatRange: quant.FixedRange(-2, 3)},
		`{"dtype":"float8_e5m2","qparam_calculator_cls":"dynamic","range_calculator_cls":"minmax","fake_quantize_cls":"default"}`: {
			DType: quant.Float8E5M2, Calculator: quant.Algorithm{Name: "dynamic"}, RangeCalculator: quant.Algorithm{Name: "minmax"}, FakeQuantize: quant.Algorithm{Name: "default"}},
		`{"dtype":"float4_e2m1fn"}`:                                                                        {DType: quant.Float4E2M1FN},
		`{"dtype":"uint8","quant_min":0,"quant_max":255.0}`:                                                {DType: quant.Uint8},
		`{"n_bits":8,"target_dtype":"int8","_quant_range":[-128,127]}`:                                     {},
		`{"dtype":"float4_e2m1fn_x2","target_dtype":"float8_e4m3fn","_quant_range":[-6.0,6.0],"n_bits":4}`: {DType: quant.Float4E2M1FN},
	} {
		got, err := quant.ParseSpec([]byte(text))
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
		require.NoError(t, want.Validate())
		out, err := json.Marshal(got)
		require.NoError(t, err)
		var again quant.Spec
		require.NoError(t, json.Unmarshal(out, &again), string(out))
		assert.Equal(t, string(out), again.String(), "what was read again is written as before")
		a, err := quant.New[float32](got, quant.Activation)
		require.NoError(t, err)
		assert.JSONEq(t, string(out), a.Spec().String())
	}
}

// dtypeNames are the data types that an error offers.
const dtypeNames = "int8, int4, int2, uint8, uint4, uint2, float8_e4m3fn, float8_e5m2, float4_e2m1fn_x2, int6, uint6, int16, uint16, float6_e2m3fn or float6_e3m2fn"

// Every spec that is not valid is refused with an error of its own, which names field, value and what is allowed.
func TestSpecErrors(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []struct{ text, field, message string }{
		{``, "spec", "quant: invalid spec: spec is empty, want a JSON object"},
		{`{"dtype":"int8"`, "spec", "quant: invalid spec: spec is malformed (cut short), want a JSON object"},
		{`{"dtype":}`, "spec", ""},
		{`{5:6}`, "spec", ""},
		{`{"dtype":"int8"]`, "spec", ""},
		{`+`, "spec", ""},
		{`{"granularity":{"type":7}}`, "granularity.type", "quant: invalid spec: granularity.type is 7, want a name in quotes"},
		{`[]`, "spec", `quant: invalid spec: spec is [], want a JSON object`},
		{`{} {}`, "spec", `quant: invalid spec: spec is followed by more text, want one JSON object alone`},
		{`{"dtype":"int8","dtype":"int4"}`, "dtype", `quant: invalid spec: dtype is given twice, want each field once`},
		{`{"Dtype":"int8"}`, "Dtype", `quant: invalid spec: Dtype is not a field, want dtype, qscheme, qformulation, granularity, fake_quantize_cls, qparam_calculator_cls, range_calculator_cls, float_range, scale_dtype, dialect, scale_rule or global_scale`},
		{`{"dtype":"int7"}`, "dtype", `quant: invalid spec: dtype is "int7", want ` + dtypeNames},
		{`{"dtype":8}`, "dtype", `quant: invalid spec: dtype is 8, want ` + dtypeNames},
		{`{"dtype":null}`, "dtype", `quant: invalid spec: dtype is null, want ` + dtypeNames},
		{`{"qscheme":"affine"}`, "qscheme", `quant: invalid spec: qscheme is "affine", want symmetric, asymmetric or symmetric_with_clipping`},
		{`{"qscheme":"asymmetric","dtype":"float8_e5m2"}`, "qscheme", `quant: invalid spec: qscheme is asymmetric, want symmetric, as dtype is float8_e5m2`},
		{`{"qformulation":"zero_point"}`, "qformulation", `quant: invalid spec: qformulation is "zero_point", want zp or minval`},
		{`{"qformulation":"minval","dtype":"float4_e2m1fn"}`, "qformulation", `quant: invalid spec: qformulation is minval, want zp, as dtype is float4_e2m1fn_x2`},
		{`{"granularity":{"type":"per_channel","axis":0,"partial":true}}`, "granularity.partial", `quant: invalid spec: granularity.partial is true, want false, as type is per_channel`},
		{`{"granularity":{"type":"per_block","axis":0,"block_size":8,"partial":1}}`, "granularity.partial", `quant: invalid spec: granularity.partial is 1, want true or false`},
		{`{"scale_dtype":"float8_e8m0fnu","dtype":"int4"}`, "scale_dtype", `quant: invalid spec: scale_dtype is float8_e8m0fnu, want null, float16 or bfloat16, as dtype is int4`},
		{`{"scale_dtype":"float8_e8m0fnu","qscheme":"asymmetric"}`, "qscheme", `quant: invalid spec: qscheme is asymmetric, want symmetric, as scale_dtype is float8_e8m0fnu`},
		{`{"scale_dtype":"float8_e8m0fnu","qformulation":"minval"}`, "qformulation", `quant: invalid spec: qformulation is minval, want zp, as scale_dtype is float8_e8m0fnu`},
		{`{"scale_dtype":"float16","dtype":"float8_e5m2"}`, "scale_dtype", `quant: invalid spec: scale_dtype is float16, want null or float8_e8m0fnu, as dtype is float8_e5m2`},
		{`{"scale_dtype":"bfloat16","dtype":"float4_e2m1fn_x2"}`, "scale_dtype", `quant: invalid spec: scale_dtype is bfloat16, want null, float8_e8m0fnu or float8_e4m3fn, as dtype is float4_e2m1fn_x2`},
		{`{"scale_dtype":"float8_e4m3fn","dtype":"float8_e5m2"}`, "scale_dtype", `quant: invalid spec: scale_dtype is float8_e4m3fn, want null or float8_e8m0fnu, as dtype is float8_e5m2`},
		{`{"scale_dtype":"float8_e4m3fn"}`, "scale_dtype", `quant: invalid spec: scale_dtype is float8_e4m3fn, want null, float8_e8m0fnu, float16 or bfloat16, as dtype is int8`},
		{`{"scale_dtype":"float8_e4m3fn","dtype":"uint4"}`, "scale_dtype", `quant: invalid spec: scale_dtype is float8_e4m3fn, want null, float16 or bfloat16, as dtype is uint4`},
		{`{"scale_dtype":"float32","dtype":"float8_e5m2"}`, "scale_dtype", `quant: invalid spec: scale_dtype is "float32", want null, float8_e8m0fnu, float16, bfloat16 or float8_e4m3fn`},
		{`{"scale_dtype":"null","dtype":"float8_e5m2"}`, "scale_dtype", `quant: invalid spec: scale_dtype is "null", want null, float8_e8m0fnu, float16, bfloat16 or float8_e4m3fn`},
		{`{"fake_quantize_cls":"none"}`, "fake_quantize_cls", ""},
		{`{"qparam_calculator_cls":"none"}`, "qparam_calculator_cls", ""},
		{`{"qparam_calculator_cls":""}`, "qparam_calculator_cls", `quant: invalid spec: qparam_calculator_cls is "", want a name in quotes, or an object with a name and arguments`},
		{`{"range_calculator_cls":3}`, "range_calculator_cls", `quant: invalid spec: range_calculator_cls is 3, want a name in quotes, or an object with a name and arguments`},
		{`{"qparam_calculator_cls":"dynamic","qscheme":"symmetric_with_clipping"}`, "qscheme", `quant: invalid spec: qscheme is symmetric_with_clipping, want symmetric or asymmetric, as qparam_calculator_cls is dynamic; static takes the range of each tensor, too, and any qscheme`},
		{`{"qparam_calculator_cls":"dynamic","float_range":[-1,null]}`, "float_range", `quant: invalid spec: float_range is [-1,null], want [null,null], as qparam_calculator_cls is dynamic`},
		{`{"float_range":[-1]}`, "float_range", `quant: invalid spec: float_range is [-1], want a list of two numbers or nulls`},
		{`{"float_range":[false,true]}`, "float_range", `quant: invalid spec: float_range is [false,true], want a list of two numbers or nulls`},
		{`{"float_range":null}`, "float_range", `quant: invalid spec: float_range is null, want a list of two numbers or nulls`},
		{`{"float_range":[1,2]}`, "float_range", `quant: invalid spec: float_range is [1,2], want a lower end of at most 0`},
		{`{"float_range":[null,-2]}`, "float_range", `quant: invalid spec: float_range is [null,-2], want an upper end of at least 0`},
		{`{"float_range":[0,0]}`, "float_range", `quant: invalid spec: float_range is [0,0], want a lower end below the upper one`},
		{`{"float_range":[-1e39,0]}`, "float_range", `quant: invalid spec: float_range is [-1e+39,0], want ends that are finite in float32`},
		{`{"granularity":"per_tensor"}`, "granularity", `quant: invalid spec: granularity is "per_tensor", want a JSON object`},
		{`{"granularity":{}}`, "granularity.type", `quant: invalid spec: granularity.type is "", want per_tensor, per_channel or per_block`},
		{`{"granularity":{"type":"per_row"}}`, "granularity.type", `quant: invalid spec: granularity.type is "per_row", want per_tensor, per_channel or per_block`},
		{`{"granularity":{"type":"per_tensor","size":1}}`, "granularity.size", `quant: invalid spec: granularity.size is not a field, want type, axis, block_size or partial`},
		{`{"granularity":{"type":"per_tensor","type":"per_tensor"}}`, "granularity.type", `quant: invalid spec: granularity.type is given twice, want each field once`},
		{`{"granularity":{"type":"per_tensor","axis":0}}`, "granularity.axis", `quant: invalid spec: granularity.axis is 0, want null, as type is per_tensor`},
		{`{"granularity":{"type":"per_channel"}}`, "granularity.axis", `quant: invalid spec: granularity.axis is not given, want an integer, as type is per_channel`},
		{`{"granularity":{"type":"per_channel","axis":0.5}}`, "granularity.axis", `quant: invalid spec: granularity.axis is 0.5, want an integer`},
		{`{"granularity":{"type":"per_channel","axis":0,"block_size":4}}`, "granularity.block_size", `quant: invalid spec: granularity.block_size is 4, want none, as type is per_channel`},
		{`{"granularity":{"type":"per_block","axis":1}}`, "granularity.block_size", `quant: invalid spec: granularity.block_size is not given, want a positive integer, or a list with one for each axis, -1 for a whole one`},
		{`{"granularity":{"type":"per_block","block_size":4}}`, "granularity.axis", `quant: invalid spec: granularity.axis is not given, want an integer, as type is per_block`},
		{`{"granularity":{"type":"per_block","axis":1,"block_size":0}}`, "granularity.block_size", `quant: invalid spec: granularity.block_size is 0, want a positive integer`},
		{`{"granularity":{"type":"per_block","axis":1,"block_size":"4"}}`, "granularity.block_size", `quant: invalid spec: granularity.block_size is "4", want a positive integer, or a list with one for each axis, -1 for a whole one`},
		{`{"granularity":{"type":"per_block","axis":1,"block_size":[1,4]}}`, "granularity.axis", `quant: invalid spec: granularity.axis is 1, want null, as block_size is a list`},
		{`{"granularity":{"type":"per_block","block_size":[1,-2]}}`, "granularity.block_size", `quant: invalid spec: granularity.block_size is [1,-2], want positive integers, or -1 for a whole axis`},
		{`{"n_bits":4}`, "n_bits", `quant: invalid spec: n_bits is 4, want 8, as dtype is int8 and qscheme symmetric`},
		{`{"n_bits":null}`, "n_bits", `quant: invalid spec: n_bits is null, want 8, as dtype is int8 and qscheme symmetric`},
		{`{"quant_min":-127}`, "quant_min", `quant: invalid spec: quant_min is -127, want -128, as dtype is int8 and qscheme symmetric`},
		{`{"quant_max":127,"dtype":"uint8"}`, "quant_max", `quant: invalid spec: quant_max is 127, want 255, as dtype is uint8 and qscheme symmetric`},
		{`{"_quant_range":[-128]}`, "_quant_range", `quant: invalid spec: _quant_range is [-128], want [-128 127], as dtype is int8 and qscheme symmetric`},
		{`{"target_dtype":"int4","dtype":"int4"}`, "target_dtype", `quant: invalid spec: target_dtype is "int4", want int8, as dtype is int4`},
		{`{"target_dtype":4}`, "target_dtype", `quant: invalid spec: target_dtype is 4, want a name in quotes`},
	} {
		_, err := quant.ParseSpec([]byte(c.text))
		require.ErrorIs(t, err, quant.ErrSpec, c.text)
		var e *quant.Error
		require.ErrorAs(t, err, &e, c.text)
		assert.Equal(t, c.field, e.Field, c.text)
		if c.message != "" {
			assert.EqualError(t, err, c.message, c.text)
		}
		assert.NotContains(t, seen, err.Error(), "one message for two mistakes")
		seen[err.Error()] = c.text
		require.Error(t, new(quant.Spec).UnmarshalJSON([]byte(c.text)))
	}
	for _, s := range []quant.Spec{
		{DType: 99}, {Scheme: 99}, {Formulation: 99}, {ScaleDType: 99}, {Granularity: quant.PerBlock(0, -1)}, {Calculator: quant.Algorithm{Name: "none"}},
		{RangeCalculator: quant.Algorithm{Name: "none"}}, {FakeQuantize: quant.Algorithm{Name: "none"}}, {FloatRange: quant.FixedMin(1)}, {FloatRange: quant.FixedMax(math.NaN())},
		{FloatRange: quant.FixedRange(math.Inf(-1), 0)},
	} {
		require.ErrorIs(t, s.Validate(), quant.ErrSpec)
		require.NotEmpty(t, s.String())
		_, err := quant.New[float32](s, quant.Weight)
		require.ErrorIs(t, err, quant.ErrSpec)
	}
}

func TestTargets(t *testing.T) {
	for _, want := range []quant.Target{quant.Weight, quant.Activation, quant.LUT} {
		got, err := quant.ParseTarget(want.String())
		require.NoError(t, err)
		assert.Equal(t, want, got)
		_, err = quant.New[float32](quant.Spec{Calculator: quant.Algorithm{Name: "dynamic"}}, want)
		if want == quant.Activation {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, `quant: invalid spec: qparam_calculator_cls is "dynamic", want another calculator, as target is `+
				want.String()+` and dynamic is for activations`)
		}
	}
	_, err := quant.ParseTarget("bias")
	require.EqualError(t, err, `quant: invalid spec: target is "bias", want weight, activation or lut`)
	_, err = quant.New[float32](quant.Spec{}, 9)
	require.ErrorIs(t, err, quant.ErrSpec)
}

// Whatever the text is: no panic, and what is taken is written and read again.
func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{`{}`, `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}`,
		`{"float_range":[-1,null],"scale_dtype":null,"quant_min":-128}`, `{"granularity":{"type":"per_block","block_size":[1,-1]}} `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := quant.ParseSpec(data)
		if err != nil {
			require.ErrorIs(t, err, quant.ErrSpec)
			return
		}
		again, err := quant.ParseSpec([]byte(s.String()))
		require.NoError(t, err, s)
		assert.Equal(t, s.String(), again.String())
	})
}
