"""gyakusan completion: a script by which a shell completes commands, options and names."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from gyakusan.cli.options import _

app = App(name="completion", help="Print a script with which a shell completes names.", help_format="plaintext")

BASH = r"""# eval "$(gyakusan completion bash)"   in ~/.bashrc
_gyakusan() {
  local current="${COMP_WORDS[COMP_CWORD]}" word open="" found=() words=()
  case "$current" in \"*) open='"' ;; \'*) open="'" ;; esac
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    word="${word#[\"\']}"; word="${word%[\"\']}"; words+=("${word//\\/}")
  done
  mapfile -t found < <(gyakusan --complete "${words[@]}" 2>/dev/null)
  COMPREPLY=()
  for word in "${found[@]}"; do
    case "$open" in
      \") word="${word//\\/\\\\}"; word="${word//\"/\\\"}"; word="${word//\$/\\\$}"; COMPREPLY+=("${word//\`/\\\`}") ;;
      \') COMPREPLY+=("${word//\'/\'\\\'\'}") ;;
      *) COMPREPLY+=("$(printf '%q' "$word")") ;;
    esac
  done
}
complete -o default -F _gyakusan gyakusan
"""
ZSH = r"""# eval "$(gyakusan completion zsh)"   in ~/.zshrc, after compinit
_gyakusan() {
  local -a found
  found=("${(@f)$(gyakusan --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if (( ${#found} )) && [[ -n "${found[1]}" ]]; then compadd -U -- "${found[@]}"; else _files; fi
}
compdef _gyakusan gyakusan
"""
FISH = r"""# gyakusan completion fish > ~/.config/fish/completions/gyakusan.fish
function __gyakusan_complete
  set -l words (commandline -opc) (commandline -ct)
  gyakusan --complete (string unescape -- $words[2..-1]) 2>/dev/null
end
complete -c gyakusan -a '(__gyakusan_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@app.default
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help=_("Which shell."))]) -> int:
    """Run `gyakusan completion` and return its exit code."""
    print(SCRIPTS[shell], end="")
    return 0
