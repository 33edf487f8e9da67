package quant_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLinked builds small programs. A program links the assembly of the kernels
// that it calls, for the elements that its tensors have, and no other; so it is
// at most so much larger than one that prints a line.
func TestLinked(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("-short, or not amd64")
	}
	dir := t.TempDir()
	build := func(program, flags string) string {
		name := filepath.Join(dir, program)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags="+flags, "-o", name, "./testdata/link/"+program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return name
	}
	size := func(program string) int64 {
		info, err := os.Stat(build(program, "-s -w"))
		require.NoError(t, err)
		return info.Size()
	}
	function := regexp.MustCompile(`/internal/asm\.([A-Z]\w*(?:AVX2|AVX512|AVX512VBMI))\.abi0\b`)
	line := size("line")
	for _, c := range []struct {
		program string
		most    int64  // KB more than line
		links   string // what may be
	}{
		{"quantizeint", 275, `^(Quantize(Whole|ZeroPoint|Minval)?|PackPacked[24]|Prepare|PackSixes|Product|Quotient)AVX`},
		{"backward", 150, `^Backward(Bytes|Bits)B?F16AVX`},
		{"fakequantize", 1800, `^(Params\w+?|EncodeFp(Float8(FNUZ)?|E2M1(Packed)?)|(En|De)codeB?F16|(Dequantize|Unpack)\D*(Int8|Uint8|E4M3|E5M2|E2M1|Packed[24]|Int16|Uint16)?|(FakeQuantize|MinMax|MergeMinMax|AbsMax|Error|Least|FourColumns|Reach|Prepare|Product|Quotient|RandomWords|Stochastic)\D*)AVX`},
	} {
		assert.LessOrEqual(t, (size(c.program)-line)/1000, c.most, "%s: KB more than a program that prints a line", c.program)
		out, err := exec.Command("go", "tool", "nm", build(c.program, "")).Output()
		require.NoError(t, err)
		linked, may := function.FindAllStringSubmatch(string(out), -1), regexp.MustCompile(c.links)
		assert.NotEmpty(t, linked, c.program)
		var others []string
		for _, f := range linked {
			if !may.MatchString(f[1]) {
				others = append(others, f[1])
			}
		}
		assert.Empty(t, others, "%s links %s", c.program, strings.Join(others, ", "))
	}
}
