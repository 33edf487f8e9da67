package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The scripts name every command and flag, and shells that are there take them.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := works(t, "completion", shell)
		for _, word := range []string{"quantize", "fakequant", "include", "workers", "int4-g32", "q4_k_m", "bf16"} {
			assert.Contains(t, script, word, shell)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		check := exec.Command(path, "-n")
		check.Stdin = strings.NewReader(script)
		text, err := check.CombinedOutput()
		require.NoError(t, err, "%s", text)
	}
	fails(t, exitUsage, []string{"powershell", "bash"}, "completion", "powershell")
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	complete := func(words ...string) string {
		run := exec.Command(bash, "--norc", "-c", works(t, "completion", "bash")+`COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lowbit; echo "${COMPREPLY[*]}"`, "bash")
		run.Args = append(run.Args, words...)
		text, err := run.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(text))
	}
	assert.Equal(t, "demo dequantize", complete("lowbit", "de"))
	assert.Equal(t, "--restart", complete("lowbit", "quantize", "--re"[:4]+"s"))
	assert.Equal(t, "f32 f16", complete("lowbit", "dequantize", "--dtype", "f"))
	assert.Equal(t, "w4a16 w4a16-asym", complete("lowbit", "quantize", "--preset", "w4"))
}
