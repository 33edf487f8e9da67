package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCommand is lowbit completion: a script that completes commands and flags.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script, made of what the parser knows.
func (c *completionCommand) Run(t *tool, app *kong.Kong) error {
	var words []completionWord
	for _, f := range app.Model.Flags {
		words = append(words, flagWord("", f))
	}
	for _, command := range app.Model.Children {
		words = append(words, completionWord{word: command.Name, help: command.Help})
		for _, f := range command.Flags {
			words = append(words, flagWord(command.Name, f))
		}
	}
	script := map[string]func([]completionWord) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	_, err := fmt.Fprint(t.stdout, script(words))
	return err
}

// completionWord is a command or a flag.
type completionWord struct {
	command string // of the flag; "" for commands, and for flags of all commands
	word    string // a flag's name begins with --
	help    string
	values  []string // that the flag takes
	takes   bool     // the flag takes a value
}

func flagWord(command string, f *kong.Flag) completionWord {
	w := completionWord{command: command, word: "--" + f.Name, help: f.Help, takes: !f.IsBool()}
	if f.Enum != "" {
		w.values = strings.Split(f.Enum, ",")
	}
	if command == "quantize" && f.Name == "preset" {
		w.values = allPresets()
	}
	return w
}

// commands lists the commands.
func completionCommands(words []completionWord) (names []string) {
	for _, w := range words {
		if !strings.HasPrefix(w.word, "--") {
			names = append(names, w.word)
		}
	}
	return names
}

// flagsOf lists the flags of a command, with those of all.
func flagsOf(words []completionWord, command string) (flags []string) {
	for _, w := range words {
		if strings.HasPrefix(w.word, "--") && (w.command == command || w.command == "") {
			flags = append(flags, w.word)
		}
	}
	return flags
}

// bashCompletion is for: source <(lowbit completion bash).
func bashCompletion(words []completionWord) string {
	var b strings.Builder
	b.WriteString(`_lowbit() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac
	done
	COMPREPLY=()
	case $command:$before in
`)
	for _, w := range words {
		if len(w.values) > 0 {
			fmt.Fprintf(&b, "\t%s:%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n", w.command, w.word, strings.Join(w.values, " "))
		}
	}
	b.WriteString("\tesac\n\tcase $command:$word in\n")
	fmt.Fprintf(&b, "\t:-*) COMPREPLY=($(compgen -W '%s' -- \"$word\")) ;;\n", strings.Join(flagsOf(words, ""), " "))
	fmt.Fprintf(&b, "\t:*) COMPREPLY=($(compgen -W '%s' -- \"$word\")) ;;\n", strings.Join(completionCommands(words), " "))
	for _, command := range completionCommands(words) {
		fmt.Fprintf(&b, "\t%s:-*) COMPREPLY=($(compgen -W '%s' -- \"$word\")) ;;\n", command, strings.Join(flagsOf(words, command), " "))
	}
	b.WriteString("\tcompletion:*) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$word\")) ;;\n")
	b.WriteString("\tesac\n}\ncomplete -o default -F _lowbit lowbit\n")
	return b.String()
}

// zshCompletion is for a file _lowbit in $fpath.
func zshCompletion(words []completionWord) string {
	quote := func(s string) string {
		return strings.NewReplacer("'", "'\\''", "[", "\\[", "]", "\\]", ":", "\\:").Replace(s)
	}
	spec := func(w completionWord) string {
		text := fmt.Sprintf("'%s[%s]", w.word, quote(w.help))
		switch {
		case len(w.values) > 0:
			text += ":value:(" + strings.Join(w.values, " ") + ")"
		case w.takes:
			text += ":value:_files"
		}
		return text + "'"
	}
	var b strings.Builder
	b.WriteString("#compdef lowbit\n\n_lowbit() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, w := range words {
		if !strings.HasPrefix(w.word, "--") {
			fmt.Fprintf(&b, "\t\t'%s:%s'\n", w.word, quote(w.help))
		}
	}
	b.WriteString("\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tlocal command=${words[2]}\n\twords=(lowbit ${words[3,-1]})\n\t((CURRENT--))\n\tcase $command in\n")
	for _, command := range completionCommands(words) {
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments", command)
		for _, w := range words {
			if strings.HasPrefix(w.word, "--") && (w.command == command || w.command == "") {
				fmt.Fprintf(&b, " \\\n\t\t\t%s", spec(w))
			}
		}
		if command == "completion" {
			b.WriteString(" \\\n\t\t\t'1:shell:(bash zsh fish)'")
		} else {
			b.WriteString(" \\\n\t\t\t'*:file:_files'")
		}
		b.WriteString("\n\t\t;;\n")
	}
	b.WriteString("\tesac\n}\n\n_lowbit \"$@\"\n")
	return b.String()
}

// fishCompletion is for a file lowbit.fish in ~/.config/fish/completions.
func fishCompletion(words []completionWord) string {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" }
	var b strings.Builder
	for _, w := range words {
		name, isFlag := strings.CutPrefix(w.word, "--")
		switch {
		case !isFlag:
			fmt.Fprintf(&b, "complete -c lowbit -n __fish_use_subcommand -a %s -d %s\n", name, quote(w.help))
			continue
		case w.command != "":
			fmt.Fprintf(&b, "complete -c lowbit -n '__fish_seen_subcommand_from %s' -l %s", w.command, name)
		default:
			fmt.Fprintf(&b, "complete -c lowbit -l %s", name)
		}
		if len(w.values) > 0 {
			fmt.Fprintf(&b, " -xa %s", quote(strings.Join(w.values, " ")))
		} else if w.takes {
			b.WriteString(" -r")
		}
		fmt.Fprintf(&b, " -d %s\n", quote(w.help))
	}
	b.WriteString("complete -c lowbit -n '__fish_seen_subcommand_from completion' -xa 'bash zsh fish'\n")
	return b.String()
}
