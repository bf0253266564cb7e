using System.Text;
using Weir.Egress;
using Weir.Mcp;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>A server of 2024-11-05 that says more than anybody reads.</summary>
public sealed class SseFloodTests
{
    private const int MaxResponse = 1024 * 1024;
    private static readonly Guid Organization = Guid.Parse("00000000-0000-0000-0000-000000000001");
    private static readonly string Large = new('x', 900_000);

    private readonly ByteBudget _budget = new(MaxResponse * 2L, MaxResponse * 8L);

    /// <summary>What does not come at all fails a test here, and does not hold it up.</summary>
    private readonly CancellationTokenSource _timeout = new(TimeSpan.FromMinutes(1), TimeProvider.System);

    private CancellationToken Token => _timeout.Token;

    [Fact]
    public async Task F05_progress_that_nobody_reads_is_dropped_and_the_response_still_comes()
    {
        var said = new TaskCompletionSource();
        await using var server = await ToolCallServer.StartAsync("2024-11-05", async call =>
        {
            for (var i = 0; i < 40; i++)
            {
                await call.SendAsync(call.Progress(i, Large));
            }

            await call.SendAsync(ScriptedCall.Text(call.Id, Large));
            await call.SendAsync("""{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}""");
            said.TrySetResult();
        });
        var (client, session) = await OpenAsync(server);
        using var account = _budget.Open(Organization);
        using (var listener = await client.OpenStreamAsync(session, lastEventId: null, Token))
        using (var exchange = await client.PostAsync(session, Methods.ToolsCall, "go", Call(session, out var id), Token, account: account))
        {
            await said.Task.WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Token);
            await foreach (var message in listener.ReadAsync(id: null, Token))
            {
                message.Fields.Method.ShouldBe(Methods.ToolsListChanged);
                break;
            }

            // All was said and nothing of the call was read.
            account.Held.ShouldBeInRange(900_000, MaxResponse * 2L);
            var kinds = new List<MessageKind>();
            await foreach (var message in exchange.ReadAsync(id, Token))
            {
                kinds.Add(message.Fields.Kind);
            }

            kinds.Count.ShouldBeLessThanOrEqualTo(3);
            kinds[^1].ShouldBe(MessageKind.Response);
        }

        _budget.Peak.ShouldBeLessThanOrEqualTo(MaxResponse * 3L, "two messages of the call, one of the listener");
        account.Dispose();
        await client.CloseAsync(session, Token);
        await Until.True(() => _budget.Total == 0, "everything is given back");
    }

    [Fact]
    public async Task F05_a_listener_that_nobody_reads_keeps_the_newest()
    {
        await using var server = await ToolCallServer.StartAsync("2024-11-05", async call =>
        {
            for (var i = 0; i < 20; i++)
            {
                await call.SendAsync(
                    $$$"""{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://{{{i}}}","_meta":{"x":"{{{Large}}}"} } }""");
            }

            await call.SendAsync(ScriptedCall.Text(call.Id, "done"));
        });
        var (client, session) = await OpenAsync(server);
        using var listener = await client.OpenStreamAsync(session, lastEventId: null, Token);
        using (var exchange = await client.PostAsync(session, Methods.ToolsCall, "go", Call(session, out var id), Token))
        {
            await foreach (var message in exchange.ReadAsync(id, Token))
            {
                message.Fields.Kind.ShouldBe(MessageKind.Response);
            }
        }

        _budget.Peak.ShouldBeLessThanOrEqualTo(MaxResponse * 3L);
        await foreach (var message in listener.ReadAsync(id: null, Token))
        {
            Encoding.UTF8.GetString(message.Bytes.Span[..200]).ShouldContain("test://18");
            break;
        }
    }

    [Fact]
    public async Task F05_a_question_that_has_no_room_ends_the_call_with_a_typed_error()
    {
        await using var server = await ToolCallServer.StartAsync("2024-11-05", async call =>
        {
            for (var i = 0; i < 4; i++)
            {
                await call.SendAsync(
                    $$$"""{"jsonrpc":"2.0","id":"q{{{i}}}","method":"elicitation/create","params":{"message":"{{{Large}}}"} }""");
            }
        });
        var (client, session) = await OpenAsync(server);
        using var account = _budget.Open(Organization);
        using var exchange = await client.PostAsync(session, Methods.ToolsCall, "go", Call(session, out var id), Token, account: account);
        var held = new List<ByteHold>();
        var failure = await Should.ThrowAsync<UpstreamException>(async () =>
        {
            await foreach (var message in exchange.ReadAsync(id, Token))
            {
                // As a question is held while its client thinks.
                held.Add(account.Take(message.Bytes.Length));
            }
        });
        failure.Failure.ShouldBe(UpstreamFailure.OverBudget);
        _budget.Peak.ShouldBeLessThanOrEqualTo(MaxResponse * 2L);
    }

    private static ReadOnlyMemory<byte> Call(UpstreamSession session, out long id)
    {
        var next = id = session.NextId();
        return RpcBody.Build(next, Methods.ToolsCall, json =>
        {
            json.WriteString("name"u8, "go");
            json.WriteStartObject("_meta"u8);
            json.WriteNumber("progressToken"u8, next);
            json.WriteEndObject();
        });
    }

    private async Task<(UpstreamClient Client, UpstreamSession Session)> OpenAsync(ToolCallServer server)
    {
        var client = new UpstreamClient(
            new UpstreamTransport(new EgressHttp(new EgressPolicy(["127.0.0.1"])), MaxResponse, TimeProvider.System, _budget),
            TimeProvider.System);
        var target = new UpstreamTarget(
            Guid.Parse("00000000-0000-0000-0000-000000000009"), "server", server.Url, NodeKey: null) { ChargedTo = Organization };
        return (client, await client.OpenAsync(target, ClientCapabilities.None, Token));
    }
}
