package minifloat

import "fmt"

// Format prints a number for fmt: its code for the verbs of integers and in Go
// syntax, its value for the verbs of floats, and else its text. With a String
// method alone, %x would print the hex of the text.
func Format(s fmt.State, verb rune, code uint64, value any, text string) {
	format := fmt.FormatString(s, verb)
	switch verb {
	case 'b', 'o', 'O', 'd', 'x', 'X':
		fmt.Fprintf(s, format, code)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		fmt.Fprintf(s, format, value)
	default:
		if verb == 'v' && s.Flag('#') {
			fmt.Fprintf(s, "%#x", code)
			return
		}
		fmt.Fprintf(s, format, text)
	}
}
