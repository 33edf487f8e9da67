package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestARM64Words holds the comment behind each WORD, an instruction that Go's
// assembler lacks, against what LLVM reads in it.
func TestARM64Words(t *testing.T) {
	const mc = "llvm-mc-19"
	if _, err := exec.LookPath(mc); err != nil {
		if os.Getenv("LOWBIT_REQUIRE_LLVM") != "" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: the words were not held against LLVM: %v", err)
	}
	names, err := filepath.Glob(filepath.Join(asmDir, "*_neon_arm64.s"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	word := regexp.MustCompile(`^\tWORD \$0x([0-9a-f]{8}) // (.+)$`)
	seen := map[string]bool{}
	var input bytes.Buffer
	var where, want []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		number := 0
		for line := range strings.Lines(string(b)) {
			number++
			line = strings.TrimSuffix(line, "\n")
			if !strings.Contains(line, "WORD") || seen[line] {
				continue
			}
			seen[line] = true
			at := fmt.Sprintf("%s:%d", filepath.Base(name), number)
			m := word.FindStringSubmatch(line)
			if m == nil {
				t.Errorf("%s: no word with its instruction: %s", at, line)
				continue
			}
			code, err := strconv.ParseUint(m[1], 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			c := binary.LittleEndian.AppendUint32(nil, uint32(code))
			fmt.Fprintf(&input, "0x%02x 0x%02x 0x%02x 0x%02x\n", c[0], c[1], c[2], c[3])
			where, want = append(where, at+": "+m[1]), append(want, m[2])
		}
	}
	if len(want) == 0 {
		t.Fatal("no words")
	}
	cmd := exec.Command(mc, "-triple=aarch64", "-disassemble")
	cmd.Stdin = &input
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", mc, err, stderr.Bytes())
	}
	if stderr.Len() > 0 { // it warns of what is no instruction
		t.Fatalf("%s: %s", mc, stderr.Bytes())
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !strings.HasPrefix(line, ".") {
			got = append(got, line)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d instructions disassembled, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: LLVM reads %q, the comment says %q", where[i], got[i], want[i])
		}
	}
}
