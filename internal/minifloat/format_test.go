package minifloat_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/fp4"
	"github.com/lowbit-go/lowbit/fp6"
	"github.com/lowbit-go/lowbit/fp8"
)

// What fmt prints of a small float is its code, its value or its text, as the verb says.
func TestFormat(t *testing.T) {
	for _, c := range []struct{ format, want string }{
		{"%v", "-3"}, {"%s", "-3"}, {"%+v", "-3"}, {"%5v|", "   -3|"}, {"%-5s|", "-3   |"}, {"%q", `"-3"`},
		{"%x", "c4"}, {"%#X", "0XC4"}, {"%04x", "00c4"}, {"%d", "196"}, {"%08b", "11000100"}, {"%o", "304"}, {"%#v", "0xc4"},
		{"%.2f", "-3.00"}, {"%e", "-3.000000e+00"}, {"%8.1g|", "      -3|"},
	} {
		assert.Equal(t, c.want, fmt.Sprintf(c.format, fp8.E4M3FN(0xC4)), c.format)
	}
	assert.Equal(t, "38c4", fmt.Sprintf("%x", []fp8.E4M3FN{0x38, 0xC4}))
	assert.Equal(t, "[1 -3]", fmt.Sprint([]fp8.E4M3FN{0x38, 0xC4}))
	for _, x := range []any{
		fp8.E4M3FN(0x2A), fp8.E5M2(0x2A), fp8.E4M3FNUZ(0x2A), fp8.E5M2FNUZ(0x2A), fp8.E8M0(0x2A), fp8.E4M3(0x2A), fp8.E3M4(0x2A), fp8.E4M3B11FNUZ(0x2A),
		fp6.E2M3(0x2A), fp6.E3M2(0x2A), bf16.BFloat16(0x2A),
	} {
		assert.Equal(t, "2a", fmt.Sprintf("%x", x), "%T", x)
	}
	assert.Equal(t, "a 3a [-1.0 1.5]", fmt.Sprintf("%x %x %.1f", fp4.E2M1(0xA), fp4.Pair(0x3A), fp4.Pair(0x3A)))
	assert.Equal(t, "-1", fmt.Sprint(fp4.E2M1(0xA)))
}
