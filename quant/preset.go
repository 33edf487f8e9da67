package quant

import (
	"slices"
	"strings"
)

// presets are specs by name, in the order in which they are listed.
var presets = []struct{ name, spec string }{
	{"int8", `{"dtype":"int8","qscheme":"symmetric_with_clipping","granularity":{"type":"per_channel","axis":0}}`},
	{"int4-g32", `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}`},
	{"int4-g64", `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":64}}`},
	{"int4-g128", `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":128}}`},
	{"uint4-g32", `{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval","granularity":{"type":"per_block","axis":-1,"block_size":32}}`},
	{"uint4-g64", `{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval","granularity":{"type":"per_block","axis":-1,"block_size":64}}`},
	{"uint4-g128", `{"dtype":"uint4","qscheme":"asymmetric","qformulation":"minval","granularity":{"type":"per_block","axis":-1,"block_size":128}}`},
	{"int2-g32", `{"dtype":"int2","granularity":{"type":"per_block","axis":-1,"block_size":32}}`},
	{"fp8", `{"dtype":"float8_e4m3fn","granularity":{"type":"per_channel","axis":0}}`},
	{"fp8-block", `{"dtype":"float8_e4m3fn","granularity":{"type":"per_block","block_size":[128,128]}}`},
	{"mxint8", `{"dtype":"int8","scale_dtype":"float8_e8m0fnu","granularity":{"type":"per_block","axis":-1,"block_size":32}}`},
	{"mxfp8", `{"dtype":"float8_e4m3fn","scale_dtype":"float8_e8m0fnu","dialect":"torchao","scale_rule":"floor","granularity":{"type":"per_block","axis":-1,"block_size":32}}`},
	{"mxfp6", `{"dtype":"float6_e2m3fn","scale_dtype":"float8_e8m0fnu","dialect":"torchao","scale_rule":"floor","granularity":{"type":"per_block","axis":-1,"block_size":32}}`},
	{"mxfp4", `{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e8m0fnu","dialect":"torchao","scale_rule":"floor","granularity":{"type":"per_block","axis":-1,"block_size":32}}`},
	{"nvfp4", `{"dtype":"float4_e2m1fn_x2","scale_dtype":"float8_e4m3fn","dialect":"torchao","global_scale":true,"granularity":{"type":"per_block","axis":-1,"block_size":16}}`},
}

// searched are presets that are there once more with the range calculator "mse", under their name and mseSuffix.
var searched = []string{"int4-g32", "int4-g64", "int4-g128", "uint4-g32", "uint4-g64", "uint4-g128", "int2-g32", "fp8", "mxfp8", "mxfp6", "mxfp4", "nvfp4"}

const mseSuffix = "-mse"

// Preset returns the spec of that name, for a matrix of weights [out, in]: int8 per output channel, int4-g32 in groups of 32 along a row,
// int4-g32-mse the same with ranges of the least squared error, and so on, as Presets lists them.
func Preset(name string) (Spec, error) {
	base, search := strings.CutSuffix(name, mseSuffix)
	i := slices.IndexFunc(presets, func(p struct{ name, spec string }) bool { return p.name == base })
	if i < 0 || search && !slices.Contains(searched, base) {
		return Spec{}, specError("preset", name, oneOf(Presets()))
	}
	spec, err := ParseSpec([]byte(presets[i].spec))
	if search {
		spec.RangeCalculator.Name = "mse"
	}
	return spec, err
}

// Presets returns the names that Preset knows.
func Presets() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.name)
	}
	for _, name := range searched {
		names = append(names, name+mseSuffix)
	}
	return names
}
