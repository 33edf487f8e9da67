package main

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

func TestInspect(t *testing.T) {
	in := saveWith(t, place(t, "in"), map[string]string{"format": "pt", "odd\nkey": strings.Repeat("x", 2000)},
		ramp("w", 2, 8), of("strange\nname", safetensors.I64, []int{}, int64(1)), of[float32]("empty", safetensors.F32, []int{0, 3}),
		of("scale", safetensors.F8_E8M0, []int{2}, uint8(1), 2), of("six", safetensors.F6_E2M3, []int{4}, uint8(1), 2, 3), of("fnuz", safetensors.F8_E4M3FNUZ, []int{1}, uint8(1)))
	assert.Equal(t, in+`: tensors 6, data 78 B
format: pt
"odd\nkey": `+strings.Repeat("x", 87)+"..."+strings.Repeat("x", 98)+`

TENSOR           DTYPE        SHAPE  ELEMENTS  BYTES
w                F32          [2,8]        16     64
"strange\nname"  I64          []            1      8
empty            F32          [0,3]         0      0
scale            F8_E8M0      [2]           2      2
six              F6_E2M3      [4]           4      3
fnuz             F8_E4M3FNUZ  [1]           1      1
`, works(t, "inspect", in))

	codes := place(t, "codes")
	works(t, "quantize", "--pack", "--include", "w", "--spec", int4Blocks, "-o", codes, in)
	text := works(t, "inspect", codes)
	assert.Contains(t, text, `quantized by: {"dtype":"int4"`)
	assert.Regexp(t, `\nw +U8 +\[2,4\] +8 +8 +int4 of F32 \[2,8\], 12\.000 bits, groups 1x4, scales F32\n`, text)
	assert.Regexp(t, `\nw\.scale +F32 +\[2,2\] +4 +16\n`, text)
	assert.NotContains(t, text, "tensors\":", "what is for the tool is not printed")

	none := save(t, place(t, "none"))
	assert.Equal(t, none+": tensors 0, data 0 B\n", works(t, "inspect", none))
}

// Codes are compared by their values in the other side's type: as what dequantize makes of them.
func TestCompareCodes(t *testing.T) {
	var bf16s, halves []uint16
	for i := range 256 {
		bf16s = append(bf16s, bf16.FromFloat32(float32(math.Sin(float64(i*i)))).Bits())
		halves = append(halves, float16.Fromfloat32(float32(math.Cos(float64(i*i)))).Bits())
	}
	in := save(t, place(t, "in"), of("b", safetensors.BF16, []int{4, 64}, bf16s...), of("h", safetensors.F16, []int{4, 64}, halves...))
	codes, back := place(t, "codes"), place(t, "back")
	works(t, "quantize", "--pack", "--spec", `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":32}}`, "-o", codes, in)
	works(t, "dequantize", "-o", back, codes)
	numbers := func(args ...string) (all []comparison) {
		var page struct{ Tensors []comparison }
		require.NoError(t, json.Unmarshal([]byte(lowbit(t, append([]string{"compare", "--json"}, args...)...).stdout), &page))
		for _, c := range page.Tensors {
			c.A, c.B = nil, nil
			all = append(all, c)
		}
		return all
	}
	require.Len(t, numbers(in, codes), 2)
	assert.Equal(t, numbers(in, back), numbers(in, codes))
	assert.Equal(t, numbers(back, in), numbers(codes, in))
	for _, c := range numbers(back, codes) {
		assert.True(t, c.Equal, c.Name)
		assert.Zero(t, *c.Worst, c.Name)
	}
}

func TestCompare(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	a := save(t, place(t, "a"), ramp("same", 3), of("near", safetensors.F32, []int{4}, float32(1), 2, nan, inf), of("n", safetensors.U64, []int{1}, uint64(7)),
		of("lost", safetensors.F32, []int{1}, float32(1)), of("type", safetensors.F32, []int{2}, float32(1), 2), of("shape", safetensors.F32, []int{2}, float32(1), 2),
		of("six", safetensors.F6_E2M3, []int{4}, uint8(1), 2, 3), of("four", safetensors.F4, []int{4}, uint8(0x21), 0x43), of("nan", safetensors.F32, []int{2}, nan, 2), of[float32]("empty", safetensors.F32, []int{0}))
	b := save(t, place(t, "b"), of("near", safetensors.F32, []int{4}, float32(1), 2.5, nan, inf), ramp("same", 3), of("n", safetensors.U64, []int{1}, uint64(9)),
		of("type", safetensors.F16, []int{2}, uint16(0x3c00), 0x4000), of("shape", safetensors.F32, []int{2, 1}, float32(1), 2),
		of("six", safetensors.F6_E2M3, []int{4}, uint8(1), 2, 7), of("four", safetensors.F4, []int{4}, uint8(0x21), 0x13), of("nan", safetensors.F32, []int{2}, float32(1), 2),
		of("found", safetensors.F32, []int{1}, float32(1)), of[float32]("empty", safetensors.F32, []int{0}))

	r := lowbit(t, "compare", a, b)
	assert.Equal(t, exitFailed, r.status)
	assert.Empty(t, r.stderr)
	for _, line := range []string{
		`same +F32 +\[3\] +equal +0 +inf +1\.000000`,
		`near +F32 +\[4\] +1 of 4 differ +0\.5 +13\.01 dB +0\.996546 +A 1 NaN, A 1 Inf, B 1 NaN, B 1 Inf`,
		`n +U64 +\[1\] +1 of 1 differ +2 +10\.88 dB +1\.000000`,
		`lost +F32 +\[1\] +only in A`,
		`type +F32, F16 +\[2\] +differ +0 +inf +1\.000000`,
		`shape +F32 +\[2\], \[2,1\] +differ`,
		`six +F6_E2M3 +\[4\] +1 of 4 differ`,
		`four +F4 +\[4\] +1 of 4 differ +1\.5 +\d+\.\d+ dB +0\.848528`,
		`nan +F32 +\[2\] +1 of 2 differ +0 +inf +1\.000000 +A 1 NaN`,
		`empty +F32 +\[0\] +equal +0 +inf`,
		`found +F32 +\[1\] +only in B`,
		`9 of 11 tensors differ`,
	} {
		assert.Regexp(t, regexp.MustCompile(`(?m)^`+line+`$`), r.stdout)
	}

	assert.Contains(t, works(t, "compare", a, a), "all bits of 10 tensors are equal")
	one := save(t, place(t, "one"), of("x", safetensors.U8, []int{1}, uint8(1)))
	assert.Contains(t, works(t, "compare", one, one), "all bits of 1 tensor are equal")
	reordered := saveWith(t, place(t, "c"), map[string]string{"x": "y"}, slices.Collect(func(yield func(tensor) bool) {
		content := load(t, a)
		for _, name := range slices.Backward(content.names) {
			if !yield(content.tensors[name]) {
				return
			}
		}
	})...)
	works(t, "compare", a, reordered)
}

// Every type that compare takes as numbers is read as what it is.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		x    tensor
		want []float64
	}{
		{of("", safetensors.BOOL, nil, uint8(0), 1), []float64{0, 1}},
		{of("", safetensors.U8, nil, uint8(255)), []float64{255}},
		{of("", safetensors.I8, nil, int8(-3)), []float64{-3}},
		{of("", safetensors.F4, nil, uint8(0xf1)), []float64{.5, -6}},
		{of("", safetensors.F8_E4M3, nil, uint8(0x7e), 0x81), []float64{448, -1.0 / 512}},
		{of("", safetensors.F8_E5M2, nil, uint8(0x7b), 0xfc), []float64{57344, math.Inf(-1)}},
		{of("", safetensors.F8_E8M0, nil, uint8(128)), []float64{2}},
		{of("", safetensors.F8_E4M3FNUZ, nil, uint8(0x7f)), []float64{240}},
		{of("", safetensors.F8_E5M2FNUZ, nil, uint8(0x7f)), []float64{57344}},
		{of("", safetensors.I16, nil, int16(-300)), []float64{-300}},
		{of("", safetensors.U16, nil, uint16(65535)), []float64{65535}},
		{of("", safetensors.F16, nil, uint16(0xc000)), []float64{-2}},
		{of("", safetensors.BF16, nil, uint16(0x4000)), []float64{2}},
		{of("", safetensors.I32, nil, int32(-70000)), []float64{-70000}},
		{of("", safetensors.U32, nil, uint32(1<<31)), []float64{1 << 31}},
		{of("", safetensors.F32, nil, float32(1.5)), []float64{1.5}},
		{of("", safetensors.I64, nil, int64(-1)), []float64{-1}},
		{of("", safetensors.U64, nil, uint64(1<<63)), []float64{1 << 63}},
		{of("", safetensors.F64, nil, 1.25), []float64{1.25}},
	} {
		require.True(t, numeric(c.x.dtype), c.x.dtype)
		got := make([]float64, len(c.want))
		values(got, c.x.dtype, c.x.data)
		assert.Equal(t, c.want, got, c.x.dtype)
	}
	for _, dtype := range []safetensors.DType{safetensors.C64, safetensors.F6_E2M3, safetensors.F6_E3M2} {
		assert.False(t, numeric(dtype))
	}
}

func TestCPU(t *testing.T) {
	text := works(t, "cpu")
	for _, s := range kernels.Registry() {
		assert.Regexp(t, `(?m)^`+s.Name+` +(not )?available: `, text)
	}
	for _, f := range kernels.Features() {
		assert.Contains(t, text, f.Name)
	}
	assert.Regexp(t, `(?m)^chosen +`+kernels.Implementation()+`: `, text)
	for _, impl := range kernels.Implementations() {
		assert.Regexp(t, `(?m)^chosen +`+impl+`: asked for by --isa$`, works(t, "cpu", "--isa", impl))
	}
}

func TestDemo(t *testing.T) {
	for _, impl := range slices.Compact([]string{"generic", kernels.Implementation()}) {
		text := works(t, "demo", "--isa", impl, "--workers", "1")
		assert.Contains(t, text, "all-MiniLM-L6-v2 (Apache-2.0)")
		for format, bits := range map[string]string{
			"int8, per channel": `8\.08 +42\.\d\d dB`, "int8, per channel, asymmetric": `8\.10 +43\.\d\d dB`, "int4, blocks of 32": `5\.00 +20\.\d\d dB`,
			"uint4, blocks of 32, minval": `6\.00 +22\.\d\d dB`, "int2, blocks of 32": `3\.00 +6\.\d\d dB`, "fp8 e4m3, per channel": `8\.08 +31\.\d\d dB`,
			"fp8 e5m2, per channel": `8\.08 +25\.\d\d dB`, "mxfp8 e4m3, blocks of 32": `8\.25 +30\.\d\d dB`, "mxfp4, blocks of 32": `4\.25 +18\.\d\d dB`,
			"int4, blocks of 32, searched": `5\.00 +21\.00 dB`, "int2, blocks of 32, searched": `3\.00 +8\.63 dB`,
			"nvfp4, blocks of 16": `4\.50 +20\.46 dB`, "nvfp4, blocks of 16, searched": `4\.50 +21\.80 dB`,
		} {
			assert.Regexp(t, `(?m)^`+format+` +`+bits+` +\d\.\d\d\d % +`+impl+` +\d+\.\d\d$`, text)
		}
	}
}

func TestBench(t *testing.T) {
	args := []string{"bench", "--workers", "1", "--op", "^quantize/int8(/block16)?$", "--n", "100"}
	text := works(t, append(args, "--json", "--isa", "generic")...)
	var results []map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &results))
	require.Len(t, results, 2)
	for i, r := range results {
		assert.Len(t, r, 6)
		assert.Equal(t, []string{"quantize/int8", "quantize/int8/block16"}[i], r["op"])
		assert.Equal(t, "generic", r["impl"])
		assert.Equal(t, 100.0, r["n"])
		for _, field := range []string{"ns_per_element", "gb_per_s", "copy_ratio"} {
			assert.Positive(t, r[field], field)
		}
	}
}

func TestBenchTable(t *testing.T) {
	t.Setenv("LOWBIT_ISA", "generic")
	text := works(t, "bench", "--op", "^minmax$", "--n", "1000")
	assert.Regexp(t, `(?m)^OP +IMPL +N +NS/ELEMENT +GB/S +TIMES A COPY$`, text)
	assert.Equal(t, 1, strings.Count(text, "\nminmax "))
}

func TestFitting(t *testing.T) {
	assert.Equal(t, 4096, fitting(4096))
	assert.Equal(t, []int{4096, 65536, 1 << 20, 4 << 20, 16 << 20, 32 << 20}, sizesUpTo(32<<20))
	assert.Equal(t, []int{4096, 65536, 1 << 20, 4 << 20}, sizesUpTo(4<<20), "less memory")
	if total, ok := systemMemory("MemTotal"); ok {
		assert.Greater(t, total, int64(1<<20))
		assert.Less(t, fitting(math.MaxInt), math.MaxInt)
	}
	_, ok := systemMemory("no such field")
	assert.False(t, ok)
}

func TestByteText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1 kB", 3548160: "3.55 MB", 999999: "1 MB", 123456789: "123 MB", math.MaxInt64: "9.22 EB"} {
		assert.Equal(t, want, byteText(n))
	}
}

// Columns are those of a screen: East Asian characters and pictures take two, marks that go with others none.
func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "weight": 6, "日本語": 6, "ｱｲｳ": 3, "Ａ": 2, "한글": 4, "e\u0301": 1, "é": 1, "🙂": 2, "\xff": 1, "、": 2} {
		assert.Equal(t, want, columnsOf(text), "%q", text)
	}
	for text, want := range map[string]string{
		"abcdefghijk": "abcd...ijk", "日本語日本語日本語": "日本...語", "日本語日本": "日本語日本", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301": "e\u0301e\u0301e\u0301e\u0301...e\u0301e\u0301e\u0301",
	} {
		got := cut(text, 10)
		assert.Equal(t, want, got)
		assert.LessOrEqual(t, columnsOf(got), 10)
	}
	in := save(t, place(t, "in"), ramp(strings.Repeat("重", 100)+".weight", 4, 4), ramp("b.weight", 4, 4))
	for line := range strings.Lines(works(t, "inspect", in)) {
		if before, _, ok := strings.Cut(line, "F32"); ok {
			assert.Equal(t, 60, columnsOf(before), line) // at most 60 of the name, of characters of two, and the gap
		}
	}
}
