package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const asmDir = "../../internal/asm"

// Every loop of the table is found where it is looked for, and is a loop over a tile: it loads and it stores.
func TestKernels(t *testing.T) {
	for _, k := range kernels {
		for _, target := range targets {
			code, err := k.code(target, asmDir)
			if err != nil {
				t.Error(err)
				continue
			}
			// a load for each register, the pointers, the count, the branch
			least, n := k.turn(target)/target.tile*4+3, len(code)
			if target.arch == "arm64" {
				for _, c := range code {
					if c[3]&0x3a == 0x28 { // LDP, STP: two registers
						n++
					}
				}
			}
			if n < least {
				t.Errorf("%s, %s: %d instructions, pairs counted twice, want %d at least", k.name, target.suffix, n, least)
			}
			if last := code[len(code)-1]; target.arch == "amd64" && last[0]&0xf0 != 0x70 && !bytes.HasPrefix(last, []byte{0x0f}) {
				t.Errorf("%s, %s: ends in % x, want a branch", k.name, target.suffix, last)
			} else if target.arch == "arm64" && last[3]&0xfe != 0x54 && last[3]&0x7e != 0x34 && last[3]&0xfc != 0x14 {
				t.Errorf("%s, %s: ends in % x, want a branch", k.name, target.suffix, last)
			}
		}
	}
	if _, err := assemble(asmDir+"/copy_neon_arm64.s", "arm64", "NoSuchFunction"); err == nil {
		t.Error("a function that is not there is found")
	}
}

func TestAssemble(t *testing.T) {
	f, err := assemble(asmDir+"/copy_avx512_amd64.s", "amd64", "Copy4to0AVX512")
	if err != nil {
		t.Fatal(err)
	}
	code, err := f.follow(copying)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"\x62\xf1\x7c\x48\x10\x06",     // VMOVUPS (SI), Z0
		"\x62\xf1\x7c\x48\x10\x4e\x01", // VMOVUPS 64(SI), Z1
		"\x62\xf1\x7c\x48\x10\x56\x02",
		"\x62\xf1\x7c\x48\x10\x5e\x03",
		"\x48\x81\xc6\x00\x01\x00\x00", // ADDQ $256, SI
		"\x48\x83\xea\x01",             // SUBQ $1, DX
		"\x75\xd8",                     // JNE loop
	}
	if len(code) != len(want) {
		t.Fatalf("%d instructions, want %d", len(code), len(want))
	}
	for i := range want {
		if string(code[i]) != want[i] {
			t.Errorf("instruction %d is % x, want % x", i, code[i], want[i])
		}
	}
}

func TestFollow(t *testing.T) {
	f := &function{
		begins: []int{0, 1, 2, 3, 4, 5, 6, 7, 8},
		//             a  b  c  d  e  f  g  h  i
		jumps:  []int{-1, 7, 4, -1, -1, 1, 8, -1, 0},
		labels: map[int]string{0: "groups", 1: "loop", 4: "ordered1", 7: "looptail", 8: "loopend"},
		code:   []byte("abcdefghi"),
	}
	for want, p := range map[string]path{
		"bcef":        {from: []string{"no such", "loop"}},
		"abcefgi":     {from: []string{"groups"}, inner: "loop", turns: 1},
		"abcefbcefgi": {from: []string{"groups"}, inner: "loop", turns: 2},
		"no such":     {from: []string{"no such"}},
		"comes back":  {from: []string{"loopend"}},
	} {
		code, err := f.follow(p)
		if err != nil && strings.Contains(err.Error(), want) {
			continue
		}
		if got := string(bytes.Join(code, nil)); got != want || err != nil {
			t.Errorf("%v: %s (%v), want %s", p, got, err, want)
		}
	}
	f.labels[1], f.labels[4] = "loopahead", "loop"
	if code, err := f.follow(path{from: []string{"loopahead"}}); err != nil || string(bytes.Join(code, nil)) != "bcdef" {
		t.Errorf("%s (%v), want bcdef", code, err)
	}
}

func llvm(t *testing.T) {
	for _, name := range []string{"llvm-mc-19", "llvm-mca-19"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("LOWBIT_REQUIRE_LLVM") != "" {
				t.Fatal(err)
			}
			t.Skipf("SKIPPED: nothing was simulated: %v", err)
		}
	}
}

func TestSimulate(t *testing.T) {
	llvm(t)
	for _, c := range []struct {
		text, triple, cpu string
		least, most       float64
		binds             string
	}{
		{"fadd v1.4s, v1.4s, v0.4s\nfadd v1.4s, v1.4s, v0.4s\n", "aarch64", "neoverse-v2", 3.9, 4.1, "latency"},
		{"fadd v1.4s, v0.4s, v0.4s\nfadd v2.4s, v0.4s, v0.4s\nfadd v3.4s, v0.4s, v0.4s\nfadd v4.4s, v0.4s, v0.4s\n", "aarch64", "neoverse-v2", .99, 1.1, "V0"},
		{"ldr q0, [x0]\nldr q1, [x0]\nldr q2, [x0]\nldr q3, [x0]\n", "aarch64", "apple-m1", 1.99, 2.1, "LS"},
		{"vmovups %zmm0, (%rdi)\n", "x86_64", "znver4", .99, 1.1, "FPSt"},
		{"vpermd %zmm0, %zmm1, %zmm2\nvpermd %zmm0, %zmm1, %zmm3\n", "x86_64", "sapphirerapids", 1.99, 2.1, "port 5"},
	} {
		p, err := simulate(c.text, c.triple, c.cpu)
		if err != nil || p.cycles < c.least || p.cycles > c.most || p.binds != c.binds {
			t.Errorf("%s on %s: %+v (%v), want %v to %v cycles, %s", c.text, c.cpu, p, err, c.least, c.most, c.binds)
		}
	}
	if _, err := simulate("no instruction\n", "x86_64", "znver4"); err == nil {
		t.Error("what is no instruction is simulated")
	}
}

func TestTable(t *testing.T) {
	llvm(t)
	if testing.Short() {
		t.Skip("takes long")
	}
	table, err := predictions(asmDir)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 2+len(kernels) {
		t.Errorf("%d lines, want %d", len(lines), 2+len(kernels))
	}
	for _, l := range lines {
		if strings.Count(l, "|") != strings.Count(lines[0], "|") {
			t.Errorf("other columns than the head's: %s", l)
		}
	}
}

func TestBetween(t *testing.T) {
	const text = "a\n" + begin + "\nold\n" + end + "\nb\n"
	got, err := between([]byte(text), "new\n")
	if want := "a\n" + begin + "\n\nnew\n\n" + end + "\nb\n"; err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
	if again, err := between(got, "new\n"); err != nil || string(again) != string(got) {
		t.Errorf("another time: %s (%v)", again, err)
	}
	if _, err := between([]byte(begin), ""); err == nil {
		t.Error("no end, no error")
	}
}
