package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/kernels"
)

// Each misuse of the command line has exit status 2 and a line that says what is wrong.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	in := save(t, filepath.Join(dir, "in"), ramp("w", 4, 4))
	out := filepath.Join(dir, "out")
	wrong := filepath.Join(dir, "wrong.json")
	require.NoError(t, os.WriteFile(wrong, []byte(`{"dtype":"int5"}`), 0o666))
	number := filepath.Join(dir, "number.json")
	require.NoError(t, os.WriteFile(number, []byte(`[{"match":3,"keep":true}]`), 0o666))
	null := filepath.Join(dir, "null.json")
	require.NoError(t, os.WriteFile(null, []byte(`null`), 0o666))
	nothing := filepath.Join(dir, "nothing.json")
	require.NoError(t, os.WriteFile(nothing, []byte(`[{"match":null,"keep":true}]`), 0o666))
	fakequant := func(args ...string) []string { return append([]string{"fakequant", "-o", out}, args...) }
	quantize := func(args ...string) []string { return append([]string{"quantize", "-o", out}, args...) }
	for name, c := range map[string]struct {
		words []string
		args  []string
	}{
		"unknown command":           {[]string{"frobnicate"}, []string{"frobnicate"}},
		"unknown flag":              {[]string{"--frobnicate"}, []string{"demo", "--frobnicate"}},
		"too many arguments":        {[]string{"another"}, []string{"inspect", in, "another"}},
		"no file":                   {[]string{"IN"}, []string{"inspect"}},
		"one file":                  {[]string{"<B>"}, []string{"compare", in}},
		"no spec":                   {[]string{"--spec"}, fakequant(in)},
		"no output":                 {[]string{"--output"}, []string{"quantize", "--spec", int8Spec, in}},
		"no input":                  {[]string{"IN"}, fakequant("--spec", int8Spec)},
		"two inputs":                {[]string{"other"}, quantize("--spec", int8Spec, in, "other")},
		"spec is no JSON":           {[]string{"--spec", `"int8"`, "spec in JSON", `{"dtype":"int4"`, "@FILE", "--preset"}, fakequant("--spec", "int8", in)},
		"spec twice":                {[]string{"--spec", "twice"}, quantize("--spec", int8Spec, "--spec", int4Blocks, in)},
		"output twice":              {[]string{"--output", "twice"}, quantize("--spec", int8Spec, "--output", "elsewhere", in)},
		"no preset of that name":    {[]string{"--preset", `"int5"`, "lowbit presets", "int4-g32"}, quantize("--preset", "int5", in)},
		"preset and spec":           {[]string{"--preset", "--spec", "one of them"}, quantize("--preset", "int8", "--spec", int8Spec, in)},
		"recipe in no file":         {[]string{"--recipe", "nowhere.json", "no such file"}, quantize("--recipe", "nowhere.json", in)},
		"recipe that is no list":    {[]string{"--recipe", "wrong.json", "no JSON list", "is a JSON object, want another type"}, quantize("--recipe", wrong, in)},
		"recipe of a number":        {[]string{"--recipe", "number.json: rule 1: match: is a JSON number, want another type"}, quantize("--recipe", number, in)},
		"recipe that is null":       {[]string{"--recipe", "null.json", "no JSON list", "is null"}, quantize("--recipe", null, in)},
		"recipe of null":            {[]string{"--recipe", "nothing.json: rule 1: match: is null, want a regular expression"}, quantize("--recipe", nothing, in)},
		"wrong way with NaN":        {[]string{"--non-finite", "ignore", "warn"}, quantize("--non-finite", "ignore", "--spec", int8Spec, in)},
		"spec with a wrong value":   {[]string{"--spec", "dtype", "int5", "int4"}, fakequant("--spec", `{"dtype":"int5"}`, in)},
		"spec with a wrong field":   {[]string{"--spec", "dtyp"}, fakequant("--spec", `{"dtyp":"int8"}`, in)},
		"spec with text behind":     {[]string{"--spec"}, quantize("--spec", int8Spec+"}", in)},
		"spec in a file":            {[]string{"--spec", "wrong.json", "int5"}, quantize("--spec", "@"+wrong, in)},
		"spec in no file":           {[]string{"--spec", "nowhere.json", "no such file"}, quantize("--spec", "@nowhere.json", in)},
		"spec in a file of no name": {[]string{"--spec", "@", "name of a file"}, quantize("--spec", "@", in)},
		"spec with a field twice":   {[]string{"--spec", "dtype", "twice"}, quantize("--spec", `{"dtype":"int8","dtype":"int4"}`, in)},
		"spec for activations":      {[]string{"--spec", "dynamic", "weight"}, fakequant("--spec", `{"qparam_calculator_cls":"dynamic"}`, in)},
		"quantize takes weights":    {[]string{"--spec", "dynamic", "weight"}, quantize("--spec", `{"qparam_calculator_cls":"dynamic"}`, in)},
		"unknown calculator":        {[]string{"--spec", "qparam_calculator_cls", "mine"}, fakequant("--spec", `{"qparam_calculator_cls":"mine"}`, in)},
		"wrong expression":          {[]string{"--include", "missing closing"}, fakequant("--spec", int8Spec, "--include", "(", in)},
		"wrong second expression":   {[]string{"--exclude", "missing argument"}, quantize("--spec", int8Spec, "--exclude", "*", in)},
		"wrong target":              {[]string{"--target", "gradient", "weight"}, fakequant("--spec", int8Spec, "--target", "gradient", in)},
		"wrong mask":                {[]string{"--mask", "nibble", "byte"}, fakequant("--spec", int8Spec, "--mask", "nibble", in)},
		"wrong type":                {[]string{"--dtype", "f64", "bf16"}, []string{"dequantize", "--dtype", "f64", "-o", out, in}},
		"state over the output":     {[]string{"--state-out", "out"}, fakequant("--spec", int8Spec, "--state-out", filepath.Join(dir, ".", "out"), in)},
		"state over the input":      {[]string{"--state-out", "want another file than IN"}, fakequant("--spec", int8Spec, "--state-out", in, in)},
		"report over the output":    {[]string{"--report", "want another file"}, quantize("--spec", int8Spec, "--report", filepath.Join(dir, ".", "out"), in)},
		"state in no file":          {[]string{"--state-out", "is empty"}, fakequant("--spec", int8Spec, "--state-out", "", in)},
		"gradients of no file":      {[]string{"--grad", "is empty"}, fakequant("--spec", int8Spec, "--grad=", in)},
		"no workers":                {[]string{"--workers", "0"}, []string{"demo", "--workers", "0"}},
		"workers of no number":      {[]string{"--workers", "many"}, []string{"demo", "--workers", "many"}},
		"unknown implementation":    {[]string{"--isa", "mmx", "generic"}, []string{"demo", "--isa", "mmx"}},
		"isa in cpu":                {[]string{"--isa", "mmx"}, []string{"cpu", "--isa", "mmx"}},
		"isa in inspect":            {[]string{"--isa", "mmx"}, []string{"inspect", in, "--isa", "mmx"}},
		"wrong operation":           {[]string{"--op", "unexpected"}, []string{"bench", "--op", "a)"}},
		"no such operation":         {[]string{"--op", "^nothing$"}, []string{"bench", "--op", "^nothing$"}},
		"too few elements":          {[]string{"--n", "31", "quantize/int8/block32"}, []string{"bench", "--op", "^quantize/int8/block32$", "--n", "31"}},
		"no elements":               {[]string{"--n", "0"}, []string{"bench", "--n", "0"}},
		"elements of no number":     {[]string{"--n", "x"}, []string{"bench", "--n", "16,x"}},
	} {
		t.Run(name, func(t *testing.T) { fails(t, exitUsage, c.words, c.args...) })
	}
	assert.Equal(t, []string{"in", "nothing.json", "null.json", "number.json", "wrong.json"}, entries(t, dir), "nothing is written")
}

func TestUnavailableImplementation(t *testing.T) {
	for _, s := range kernels.Registry() {
		if !s.Available {
			fails(t, exitUsage, []string{"--isa", s.Name, s.Reason}, "cpu", "--isa", s.Name)
			t.Setenv("LOWBIT_ISA", s.Name)
			fails(t, exitUsage, []string{"LOWBIT_ISA", s.Name, s.Reason}, "cpu")
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("LOWBIT_ISA", "mmx")
	for _, command := range [][]string{{"demo"}, {"cpu"}, {"inspect", "x"}, {"bench"}} {
		fails(t, exitUsage, []string{"LOWBIT_ISA", "mmx", "generic"}, command...)
	}
	assert.Contains(t, works(t, "cpu", "--isa", "generic"), "generic: asked for by --isa", "a flag comes first")
}

func TestHelp(t *testing.T) {
	all := works(t, "--help")
	assert.Equal(t, all, works(t), "nothing is asked for")
	for _, command := range []string{"demo", "fakequant", "quantize", "dequantize", "inspect", "compare", "cpu", "bench", "presets"} {
		assert.Contains(t, all, "\n  "+command)
		help := works(t, command, "--help")
		assert.Contains(t, help, "--isa")
		assert.Contains(t, help, "--workers")
	}
}

func TestVersion(t *testing.T) {
	assert.Regexp(t, `^lowbit \S+ go1\S* \w+/\w+\n$`, works(t, "--version"))
}

// An error is one line, whatever is in it.
func TestComplain(t *testing.T) {
	var b strings.Builder
	complain(&b, usagef("a\nb\x1b[31mc\u2028d é"))
	assert.Equal(t, `lowbit: a\nb\x1b[31mc\u2028d é`+"\n", b.String())
}
