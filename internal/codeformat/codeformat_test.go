package codeformat

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// A row's numbers are those of the element type that it names.
func TestRows(t *testing.T) {
	seen := map[string]string{}
	for id, row := range Rows[1:] {
		require.NotEmpty(t, row.Name)
		for kind, name := range map[string]string{"name": row.Name, "data type": row.DType, "type in files": row.File} {
			require.NotContains(t, seen, kind+name)
			if name != "" {
				seen[kind+name] = row.Name
			}
		}
		if row.DType != "" {
			require.Equal(t, ID(id+1), OfDType(row.DType))
		}
		whole := Rows[ID(id+1).WholeBytes()]
		require.Zero(t, whole.Bits%8, row.Name)
		if row.Float == nil {
			require.Equal(t, 1<<row.Bits-1, row.Max-row.Min, row.Name)
			continue
		}
		require.Equal(t, row.Float.Width, whole.Float.Width, row.Name)
		code := func(c byte) byte { return c }
		if row.As != 0 {
			code = func(c byte) byte { return Rows[E2M1Packed].castAs(c, Rows[row.As].Float) }
		}
		var largest float32
		for c := range int(row.Top) + 1 {
			exponent, mantissa := c>>row.Mantissa, float64(c&(1<<row.Mantissa-1))
			if exponent > 0 {
				mantissa += float64(int(1) << row.Mantissa)
			}
			largest = float32(math.Ldexp(mantissa, max(exponent, 1)-row.Bias-row.Mantissa))
			require.Equal(t, largest, row.Value(code(byte(c))), "%s %#x", row.Name, c)
			require.Equal(t, code(byte(c)), row.Cast(largest), "%s %#x", row.Name, c)
		}
		require.Equal(t, largest, row.Largest(), row.Name)
		require.Equal(t, math.Ilogb(float64(largest)), row.MaxExp(), row.Name)
		if row.NaN != NoNaN {
			require.True(t, math.IsNaN(float64(row.Value(byte(row.NaN)))), row.Name)
			require.Equal(t, byte(row.NaN), row.Cast(float32(math.NaN())), row.Name)
		}
	}
}

// castAs is the code of another format for the value of a code.
func (f *Float) castAs(code byte, other *Float) byte { return other.Cast(f.Value(code)) }
