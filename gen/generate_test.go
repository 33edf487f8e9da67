package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const asmDir = "../internal/asm"

// What package kernels checks before it chooses an implementation.
var gates = map[string]string{
	"avx2":       "AVX AVX2 FMA3 F16C BMI2 CMOV SSE SSE2 MMX+",
	"avx512":     "AVX AVX2 FMA3 F16C BMI2 CMOV SSE SSE2 MMX+ AVX512F AVX512BW AVX512DQ AVX512VL",
	"avx512vbmi": "AVX AVX2 FMA3 F16C BMI2 CMOV SSE SSE2 MMX+ AVX512F AVX512BW AVX512DQ AVX512VL AVX512VBMI",
}

func TestFresh(t *testing.T) {
	files, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(asmDir, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run go generate ./... from the root (%v)", name, err)
		}
	}
	have, err := os.ReadDir(asmDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range have {
		if _, ok := files[f.Name()]; !ok {
			t.Errorf("%s is not generated", f.Name())
		}
	}
}

// functions calls f with each assembly function of a file: its comment lines, and its text.
func functions(t *testing.T, pattern string, f func(file, comment, text string)) {
	names, err := filepath.Glob(filepath.Join(asmDir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no files (%v)", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(string(b), "\nTEXT ")
		for i, text := range parts[1:] {
			comment := parts[i][strings.LastIndex(parts[i], "\n\n")+1:]
			text, _, _ = strings.Cut(text, "\n\n// func ")
			f(filepath.Base(name), comment, text)
		}
	}
}

func TestARM64Text(t *testing.T) {
	frame := regexp.MustCompile(`\$(\d+)-\d+`)
	goOn := regexp.MustCompile(`\tB (·\w+)\(SB\)`)
	returns, goes := map[string]bool{}, map[string][][]string{}
	functions(t, "*_neon_arm64.s", func(_, _, text string) {
		name, _, _ := strings.Cut(text, "(SB)")
		returns[name] = strings.Contains(text, "\tRET")
		goes[name] = goOn.FindAllStringSubmatch(text, -1)
	})
	for name, others := range goes { // or each that it goes on with does
		returns[name] = returns[name] || len(others) > 0 && !slices.ContainsFunc(others, func(o []string) bool { return !returns[o[1]] })
	}
	functions(t, "*_neon_arm64.s", func(file, _, text string) {
		name, _, _ := strings.Cut(text, "(SB)")
		goesOn := goOn.FindAllStringSubmatch(text, -1)
		if !returns[name] && len(goesOn) == 0 {
			t.Errorf("%s: %s never returns", file, name)
		}
		for _, other := range goesOn {
			if !strings.HasPrefix(file, "stage_") || !returns[other[1]] {
				t.Errorf("%s: %s goes on with %s, which is no routine that returns", file, name, other[1])
			}
		}
		m := frame.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s: %s: no frame size", file, name)
		}
		// what NOSPLIT functions may use of the stack is near 800 bytes
		if size, err := strconv.Atoi(m[1]); err != nil || size > 528 && strings.Contains(m[0]+text[:strings.Index(text, "\n")], "NOSPLIT") {
			t.Errorf("%s: %s: NOSPLIT with a frame of %s", file, name, m[1])
		}
	})
}

func TestAMD64Text(t *testing.T) {
	high := regexp.MustCompile(`\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7])\b`)
	frame := regexp.MustCompile(`\$(\d+)-\d+`)
	calls := regexp.MustCompile(`\t(?:CALL|JMP) +(·\w+)\(SB\)`)
	goesOn := regexp.MustCompile(`^\tJMP +·\w+\(SB\)$`) // with a routine that returns
	says, goes := map[string]bool{}, map[string][][]string{}
	functions(t, "stage_*_amd64.s", func(_, comment, text string) {
		name, _, _ := strings.Cut(text, "(SB)")
		says[name] = strings.Contains(comment, "Requires: ")
		goes[name] = calls.FindAllStringSubmatch(text, -1)
	})
	silent := func(called [][]string) bool {
		return len(called) == 0 || slices.ContainsFunc(called, func(c []string) bool { return !says[c[1]] })
	}
	for name, called := range goes { // those that only call others leave it to them
		says[name] = says[name] || !silent(called)
	}
	for isa, gate := range gates {
		functions(t, "*_"+isa+"_amd64.s", func(file, comment, text string) {
			routine := strings.HasPrefix(file, "stage_") // which kernels call
			name, _, _ := strings.Cut(text, "(SB)")
			lines := strings.Split(text, "\n")
			returns := 0
			for i, l := range lines {
				if strings.TrimSpace(l) == "RET" {
					returns++
					if !routine && strings.TrimSpace(lines[i-1]) != "VZEROUPPER" {
						t.Errorf("%s: %s returns without VZEROUPPER", file, name)
					}
				}
				if routine && goesOn.MatchString(l) {
					returns++
				}
				if code := strings.TrimSpace(l); isa == "avx2" && !strings.HasPrefix(code, "//") && high.MatchString(code) {
					t.Errorf("%s: %s uses a register that AVX2 has not: %s", file, name, code)
				}
			}
			if returns == 0 {
				t.Errorf("%s: %s never returns", file, name)
			}
			_, requires, ok := strings.Cut(comment, "Requires: ")
			called := calls.FindAllStringSubmatch(text, -1)
			if !ok && !(routine && !silent(called)) { // else those that it calls say it
				t.Errorf("%s: %s does not say what it requires", file, name)
			}
			for _, r := range strings.FieldsFunc(requires, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
				if !strings.Contains(" "+gate+" ", " "+r+" ") {
					t.Errorf("%s: %s requires %s, which dispatch does not check", file, name, r)
				}
			}
			if routine {
				return
			}
			m := frame.FindStringSubmatch(lines[0])
			if m == nil {
				t.Fatalf("%s: %s: no frame size in %s", file, name, lines[0])
			}
			size, err := strconv.Atoi(m[1])
			if err != nil || size > 256 && strings.Contains(lines[0], "NOSPLIT") {
				t.Errorf("%s: %s: NOSPLIT with a frame of %s", file, name, m[1])
			}
		})
	}
}

// TestOthers: an implementation that has what another lacks needs nothing that the other has not, and no function stands in both.
func TestOthers(t *testing.T) {
	texts := map[string]map[string]string{} // of implementations, by the functions' names
	for _, target := range targets {
		suffix := target.open().Name()
		texts[suffix] = map[string]string{}
		functions(t, "*_"+target.name+"_"+target.arch+".s", func(_, _, text string) {
			name, text, _ := strings.Cut(text, suffix+"(SB)")
			texts[suffix][name] = text
		})
	}
	for _, target := range targets {
		if target.others == "" {
			continue
		}
		for _, feature := range strings.Fields(gates[strings.ToLower(target.others)]) {
			if !strings.Contains(" "+gates[target.name]+" ", " "+feature+" ") {
				t.Errorf("%s has what %s lacks, and needs %s", target.others, target.name, feature)
			}
		}
		for name, text := range texts[target.open().Name()] {
			if text == texts[target.others][name] {
				t.Errorf("%s of %s is that of %s, which can have it for both", name, target.name, target.others)
			}
		}
	}
}
