"""Options for workers on other computers, and the deployment that computes on them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gyakusan.cli.numbered import is_plan
from gyakusan.cli.options import Output, Where, _
from gyakusan.cli.writing import terminal
from gyakusan.engines.registry import engine
from gyakusan.errors import BadSetting

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from gyakusan.cli.starting import Life
    from gyakusan.engines.deployment import Deployment
    from gyakusan.serving.workers import Workers


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Lent:
    """Devices of other computers."""

    rpc: Annotated[
        str | None,
        Parameter(
            help=_(
                "llama.cpp's RPC workers, with commas: 127.0.0.1:50052 listens already, ssh:user@host is started by ssh."
            )
        ),
    ] = None
    rpc_unprotected: Annotated[
        bool,
        Parameter(
            help=_("Use workers on other computers directly: RPC has no password and no encryption."), negative=""
        ),
    ] = False

    def workers(self, name: str, model: str) -> AbstractContextManager[Workers | None]:
        """Return the workers, which end with the `with` block, or None. Raises BadSetting.

        name: of the engine; model: as it was typed
        """
        if self.rpc is None:
            return nullcontext()
        from gyakusan.serving.worker_places import check_reach
        from gyakusan.serving.workers import Workers

        if is_plan(model):
            raise BadSetting(
                "{options} cannot change the plan in {file}.", options="--rpc", file=model,
                mend="Leave them out, or save another plan with gyakusan plan ... --save FILE.",
            )  # fmt: skip
        rules = engine(name)
        module = rules.server()
        found = Workers.of(self.rpc, None if module is None else module.workers(), rules.NAME)
        check_reach((str(p) for p in found.places if not p.ssh), unprotected=self.rpc_unprotected)
        return found

    def check(self, asked: Deployment) -> None:
        """Raise BadSetting where a plan or --set names a worker that is not on loopback."""
        from gyakusan.serving.workers import check_workers

        check_workers(asked, unprotected=self.rpc_unprotected)

    def check_one(self) -> None:
        """Raise BadSetting for workers of several models."""
        if self.rpc is not None:
            raise BadSetting("--rpc is for one model.", mend="Serve each model by itself.")


def with_workers(asked: Deployment, workers: Workers, where: Where, life: Life, output: Output) -> Deployment:
    """Return what is asked for, on the workers too; those behind ssh are started where the server will be.

    Raises BadSetting, ServerError.
    """
    from gyakusan.serving.workers import lent

    lent(asked, workers, ())  # refused before anything is started
    if life.dry_run or life.detach or life.systemd:
        devices = workers.look()
    else:
        progress = terminal(output, stderr=output.json).progress()
        try:
            devices = workers.start(lambda message: progress(message, 0.0))
        finally:
            progress.close()
    named = where.device is not None or where.memory is not None
    return lent(asked, workers, () if named else devices)
