package quant

import "github.com/lowbit-go/lowbit/kernels"

// Dialect says whose arithmetic is used where libraries give the same format other bits. Package kernels has the formulas. The zero value is
// the reference's.
type Dialect uint8

// The dialects, and what each is defined for. ZP stands for the ZP formulation.
const (
	Reference            Dialect = iota // all dtypes but float6, and every scale_dtype but float8_e4m3fn
	TorchAO                             // float dtypes in groups with scales of float8_e8m0fnu, by a ScaleRule; float4 with float8_e4m3fn (NVFP4)
	ModelOpt                            // float4 and float8_e4m3fn with float8_e8m0fnu; float4 with float8_e4m3fn and a global scale
	CompressedTensors                   // int8 and int4, ZP; float8_e4m3fn; float4, float6_e2m3fn and float8_e4m3fn with float8_e8m0fnu; NVFP4
	CompressedTensorsF32                // the same where the quotient is not rounded to the tensor's type, as on a GPU
	Transformers                        // float8_e4m3fn, with scales of any value or of float8_e8m0fnu
	Torch                               // integers, ZP: torch's own fake_quantize, by the reference's parameters
)

// String returns the name that a Spec's JSON has, null for Reference.
func (d Dialect) String() string { return enumName(d, dialectNames) }

// ScaleRule says how the TorchAO dialect rounds scales to powers of two. The zero value is RuleFloor there, and none elsewhere.
type ScaleRule uint8

// The rules; kernels.ScaleRule has their formulas.
const (
	RuleDefault ScaleRule = iota
	RuleFloor
	RuleEven
	RuleCeil
	RuleRCeil
)

// String returns the name that a Spec's JSON has, null for RuleDefault.
func (r ScaleRule) String() string { return enumName(r, scaleRuleNames) }

// GlobalScale says whether a tensor whose scales are Float8E4M3FN has one more for all of it. The zero value is GlobalOn there, and none
// elsewhere.
type GlobalScale uint8

// The choices, false and true in JSON.
const (
	GlobalDefault GlobalScale = iota
	GlobalOff
	GlobalOn
)

// String returns what a Spec's JSON has, null for GlobalDefault.
func (g GlobalScale) String() string { return enumName(g, globalScaleNames) }

var (
	dialectNames     = []string{"null", "torchao", "modelopt", "compressed_tensors", "compressed_tensors_f32", "transformers", "torch"}
	scaleRuleNames   = []string{"null", "floor", "even", "ceil", "rceil"}
	globalScaleNames = []string{"null", "false", "true"}
)

// Block sizes of formats that have no other.
const (
	mxBlock    = 32
	nvfp4Block = 16
)

// resolveDialect fills in the dialect that other fields ask for, and what it has where nothing is said.
func (s *Spec) resolveDialect() {
	six := s.DType == Float6E2M3FN || s.DType == Float6E3M2FN
	if s.Dialect == Reference && (s.ScaleRule != RuleDefault || six || s.ScaleDType == ScaleE4M3FN) {
		s.Dialect = TorchAO
	}
	if s.ScaleDType == ScaleAny && (six || s.DType == Float4E2M1FN) {
		s.ScaleDType = ScaleE8M0
	}
	if s.Dialect == TorchAO && s.ScaleDType == ScaleE8M0 && s.ScaleRule == RuleDefault {
		s.ScaleRule = RuleFloor
	}
	if s.ScaleDType == ScaleE4M3FN && s.GlobalScale == GlobalDefault {
		s.GlobalScale = GlobalOn
	}
}

// validateDialect reports a field that does not go with the dialect, of a spec that is resolved.
func (s Spec) validateDialect() error {
	switch {
	case int(s.Dialect) >= len(dialectNames):
		return specError("dialect", s.Dialect, oneOf(dialectNames))
	case int(s.ScaleRule) >= len(scaleRuleNames):
		return specError("scale_rule", s.ScaleRule, oneOf(scaleRuleNames))
	case int(s.GlobalScale) >= len(globalScaleNames):
		return specError("global_scale", s.GlobalScale, oneOf(globalScaleNames))
	case s.ScaleRule != RuleDefault && s.Dialect != TorchAO:
		return specErrorAs("scale_rule", s.ScaleRule, "null", "dialect", s.Dialect)
	case s.ScaleRule != RuleDefault && s.ScaleDType != ScaleE8M0:
		return specErrorAs("scale_rule", s.ScaleRule, "null", "scale_dtype", s.ScaleDType)
	case s.GlobalScale != GlobalDefault && s.ScaleDType != ScaleE4M3FN:
		return specErrorAs("global_scale", s.GlobalScale, "null", "scale_dtype", s.ScaleDType)
	case s.GlobalScale == GlobalOff && s.Dialect != TorchAO:
		return specErrorAs("global_scale", s.GlobalScale, "true", "dialect", s.Dialect)
	case s.ScaleDType == ScaleE4M3FN && s.DType != Float4E2M1FN:
		return s.scaleError()
	}
	dtype := func(want string) error {
		return specErrorAs("dtype", s.DType, want, "dialect", s.Dialect)
	}
	scale := func(want string) error {
		return specErrorAs("scale_dtype", s.ScaleDType, want, "dialect", s.Dialect.String()+" and dtype "+s.DType.String())
	}
	compressed := false
	switch s.Dialect {
	case TorchAO:
		switch {
		case !s.DType.IsFloat():
			return dtype("a float")
		case s.ScaleDType == ScaleAny:
			return scale("float8_e8m0fnu")
		}
	case ModelOpt:
		switch {
		case s.DType != Float4E2M1FN && s.DType != Float8E4M3FN:
			return dtype("float4_e2m1fn_x2 or float8_e4m3fn")
		case s.ScaleDType == ScaleAny:
			return scale("float8_e8m0fnu")
		}
	case CompressedTensors, CompressedTensorsF32:
		compressed = true
		switch s.DType {
		case Int8, Int4, Float8E4M3FN, Float4E2M1FN, Float6E2M3FN:
		default:
			return dtype("int8, int4, float8_e4m3fn, float6_e2m3fn or float4_e2m1fn_x2")
		}
	case Transformers:
		if s.DType != Float8E4M3FN {
			return dtype("float8_e4m3fn")
		}
	case Torch:
		if s.DType.IsFloat() {
			return dtype("an integer")
		}
	}
	if s.DType.IsFloat() || s.Dialect == Reference {
		return nil
	}
	switch {
	case s.Formulation != ZP:
		return specErrorAs("qformulation", s.Formulation, "zp", "dialect", s.Dialect)
	case compressed && s.Scheme == SymmetricWithClipping:
		return specErrorAs("qscheme", s.Scheme, "symmetric or asymmetric", "dialect", s.Dialect)
	case compressed && s.ScaleDType != ScaleAny:
		return scale("null")
	case s.ScaleDType == ScaleE8M0:
		return scale("null, float16 or bfloat16")
	}
	return nil
}

// validateBlocks reports a granularity that a format does not have, and algorithms that a dialect has not, of a spec that is resolved.
func (s Spec) validateBlocks() error {
	g := s.Granularity
	switch {
	case s.ScaleDType == ScaleE4M3FN && (g.kind != perBlock || g.size != nvfp4Block):
		return specErrorAs("granularity", g, "per_block of 16 along the last axis", "scale_dtype", s.ScaleDType)
	case (s.DType == Float6E2M3FN || s.DType == Float6E3M2FN) && (g.kind != perBlock || g.size != mxBlock):
		return specErrorAs("granularity", g, "per_block of 32", "dtype", s.DType)
	case s.Dialect != Reference && s.FakeQuantize.Name != "default":
		return specErrorAs("fake_quantize_cls", s.FakeQuantize.Name, "default", "dialect", s.Dialect)
	}
	return nil
}

// groups is Granularity.groups, and holds the axis of scales that go along the last one against the shape.
func (s Spec) groups(dst, shape []int, t Target) ([]int, error) {
	groups, err := s.Granularity.groups(dst, shape, t)
	if axis := s.Granularity.axis; err == nil && s.ScaleDType == ScaleE4M3FN && axis != -1 && axis != len(shape)-1 {
		return nil, shapeError("granularity.axis", axis, "the last, as scale_dtype is %v and the tensor's shape %s", s.ScaleDType, shapeString(shape))
	}
	return groups, err
}

// kernelDialects and the rest are the names that the kernels have.
var (
	kernelDialects = [...]kernels.Dialect{
		Reference: kernels.Reference, TorchAO: kernels.TorchAO, ModelOpt: kernels.ModelOpt, CompressedTensors: kernels.CompressedTensors,
		CompressedTensorsF32: kernels.CompressedTensorsF32, Transformers: kernels.Transformers, Torch: kernels.Torch,
	}
	kernelRules = [...]kernels.ScaleRule{
		RuleDefault: kernels.ScaleFloor, RuleFloor: kernels.ScaleFloor, RuleEven: kernels.ScaleEven, RuleCeil: kernels.ScaleCeil, RuleRCeil: kernels.ScaleRCeil,
	}
)

// factors tells whether elements are multiplied with or divided by what does not follow from the scales, so that it is kept beside them.
func (f *format) factors() bool {
	switch f.dialect {
	case Transformers:
		return f.scale == ScaleAny
	case CompressedTensors, CompressedTensorsF32:
		return f.scale == ScaleE8M0
	}
	return false
}

// chooseGlobal computes the scale of the whole tensor from the ranges of all its groups.
func chooseGlobal[T kernels.Float](f *format, p *Params, low, high []float32) {
	most := float32(0)
	for i := range low {
		most = max(most, -low[i], high[i]) // a NaN stays
	}
	p.Global = kernels.GlobalScale[T](kernelDialects[f.dialect], oneNaN(most)) // max may make another one, as its operands and the machine are
}
