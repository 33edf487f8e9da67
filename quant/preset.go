package quant

import "slices"

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
}

// Preset returns the spec of that name, for a matrix of weights [out, in]: int8 per output channel, int4-g32 in groups of 32 along a row,
// and so on, as Presets lists them.
func Preset(name string) (Spec, error) {
	i := slices.IndexFunc(presets, func(p struct{ name, spec string }) bool { return p.name == name })
	if i < 0 {
		return Spec{}, specError("preset", name, oneOf(Presets()))
	}
	return ParseSpec([]byte(presets[i].spec))
}

// Presets returns the names that Preset knows.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}
