"""Subscriptions: how a client of either era of the protocol asks to be told, and is told."""

from __future__ import annotations

from typing import Any, Final

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY, ResourceUpdated, event_to_notification

from milo.views.mcp.addresses import AddressError, parse
from milo.views.mcp.updates import Subscriber, Updates

__all__ = ["Subscriptions"]

_MAX_URIS: Final = 2000
_MAX_STREAMS: Final = 64

Context = ServerRequestContext[Updates, Any]


class Subscriptions:
    """The handlers of `subscriptions/listen` (since 2026-07-28) and of `resources/subscribe` (before)."""

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Tell over the answer to this request, which ends when the client ends it."""
        updates = ctx.lifespan_context
        if ctx.request_id is None:
            raise MCPError(types.INVALID_REQUEST, "subscriptions/listen needs the id of a request.")
        if len(updates) >= _MAX_STREAMS:
            raise MCPError(
                types.INVALID_REQUEST, f"There are {_MAX_STREAMS} subscriptions already; end one first."
            )
        # An address that names nothing is left out of what is acknowledged: nothing would ever come.
        wanted = [uri for uri in params.notifications.resource_subscriptions or () if _is_known(uri)]
        _refuse_too_many(len(wanted))
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        subscriber, key = Subscriber(wanted), object()

        async def send(notification: types.ServerNotification) -> None:
            await ctx.session.send_notification(notification, related_request_id=ctx.request_id)

        async def tell(uri: str) -> None:
            await send(event_to_notification(ResourceUpdated(uri=uri), meta))

        honored = types.SubscriptionFilter(resource_subscriptions=wanted or None)
        # Joined before anything is awaited, so that the limit holds however many ask at once.
        updates.join(key, subscriber)
        try:
            await send(
                types.SubscriptionsAcknowledgedNotification(
                    params=types.SubscriptionsAcknowledgedNotificationParams(
                        notifications=honored, _meta=meta
                    )
                )
            )
            await subscriber.deliver(tell)
        finally:
            updates.leave(key)

    async def subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Tell over the connection of this request, as long as there is one."""
        try:
            parse(params.uri)
        except AddressError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from None
        updates, key = ctx.lifespan_context, _connection(ctx)
        subscriber = updates.subscriber(key)
        if subscriber is None:
            subscriber = Subscriber()
            _let_hear(ctx, subscriber)
        _refuse_too_many(len(subscriber.uris | {params.uri}))
        subscriber.add(params.uri)
        updates.join(key, subscriber)
        return types.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        """Tell of an address no more."""
        subscriber = ctx.lifespan_context.subscriber(_connection(ctx))
        if subscriber is not None:
            subscriber.drop(params.uri)
        return types.EmptyResult()


def _let_hear(ctx: Context, subscriber: Subscriber) -> None:
    """Tell a subscriber until the connection of this request ends, which the server may outlive."""
    updates, connection, scope = ctx.lifespan_context, _connection(ctx), anyio.CancelScope()

    async def tell() -> None:
        with scope:
            await subscriber.deliver(ctx.session.send_resource_updated)

    updates.start(tell)
    if connection is not None:
        connection.exit_stack.callback(updates.leave, connection)
        connection.exit_stack.callback(scope.cancel)


def _connection(ctx: Context) -> Any:
    """What stands for the client: its connection, for a session is made anew for each request."""
    return getattr(ctx.session, "_connection", None)


def _is_known(uri: str) -> bool:
    try:
        parse(uri)
    except AddressError:
        return False
    return True


def _refuse_too_many(number: int) -> None:
    if number > _MAX_URIS:
        raise MCPError(
            types.INVALID_PARAMS,
            f"{number} addresses are too many for one subscription: {_MAX_URIS} are possible. "
            "The timeline tells of all phases at once.",
        )
