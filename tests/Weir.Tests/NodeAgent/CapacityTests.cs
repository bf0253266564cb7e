extern alias NodeAgent;

using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using NodeAgent::Weir.NodeAgent.Bridge;
using Weir.Nodes;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>How many sessions and calls an instance takes, and what happens when there are more.</summary>
public sealed class CapacityTests(OneNode shared) : IClassFixture<OneNode>
{
    private const string Initialize =
        """{"jsonrpc":"2."""
            + """0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"raw","v"""
            + """ersion":"1"} } }""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_full_instance_says_when_to_try_again_and_its_log_says_why()
    {
        await using var node = await NodeHost.StartAsync(["--session-spare", "600"]);
        var id = await node.DeployAsync(NodeHost.Fixture("session") with { MaxSessions = 1 });
        var first = new RawMcp(node, id);
        await first.InitializeAsync();

        using var refused = await new RawMcp(node, id).PostAsync(Initialize);

        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await refused.Content.ReadAsStringAsync(Token)).ShouldContain(
            "1 sessions of this server are open, the most that its max_sessions");
        int.Parse(refused.Headers.GetValues("Retry-After").Single(), CultureInfo.InvariantCulture).ShouldBeInRange(300, 600);
        (await LogAsync(node, id)).ShouldContain(
            "session_limit: 1 sessions of this server are open, the most that its max_sessions or the node's session-children allows. None "
                + "has been unused for 600 s.");
        (await node.StateAsync(id, "running")).ErrorCode.ShouldBeNull();
        (await first.CallAsync("echo", """{"message":"still there"}""")).ShouldBe("still there");
    }

    [Fact]
    public async Task An_instance_has_the_sessions_that_it_asks_for_up_to_the_nodes_maximum()
    {
        await using var node =
            await NodeHost.StartAsync(["--session-children", "1", "--session-children-most", "2", "--session-spare", "600"]);
        (await AcceptedAsync(node, maxSessions: null)).ShouldBe(1);
        (await AcceptedAsync(node, maxSessions: 2)).ShouldBe(2);
        (await AcceptedAsync(node, maxSessions: 3)).ShouldBe(2);
    }

    [Fact]
    public async Task A_session_that_was_ended_gives_its_place_to_who_comes_at_once()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture("session", args: ["stubborn"]) with { MaxSessions = 1 });
        var first = new RawMcp(shared.Node, id);
        await first.InitializeAsync();
        using var delete = new HttpRequestMessage(HttpMethod.Delete, shared.Node.Mcp(id));
        delete.Headers.Add("Mcp-Session-Id", first.Session);
        (await shared.Node.Http.SendAsync(delete, Token)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
        // Its process ends only by SIGKILL, so its place is not free yet.
        await new RawMcp(shared.Node, id).InitializeAsync();
    }

    [Fact]
    public async Task Starts_that_fail_leave_the_sessions_alone_that_run()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture("session"));
        var healthy = new RawMcp(shared.Node, id);
        await healthy.InitializeAsync();
        (await healthy.CallAsync("no-more")).ShouldBe("none");

        for (var i = 0; i < 5; i++)
        {
            using var failed = await new RawMcp(shared.Node, id).PostAsync(Initialize);
            failed.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            (await failed.Content.ReadAsStringAsync(Token)).ShouldContain("upstream_closed");
        }

        (await healthy.CallAsync("echo", """{"message":"untouched"}""")).ShouldBe("untouched");
        (await shared.Node.StateAsync(id, "running", "degraded")).State.ShouldBe("running");
        (await LogAsync(shared.Node, id)).ShouldContain(
            "child_exited: A session's server ended before it answered initialize; 1 others run.");
    }

    [Fact]
    public async Task Starts_that_fail_in_a_row_while_no_session_runs_are_degraded()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture("session"));
        var only = new RawMcp(shared.Node, id);
        await only.InitializeAsync();
        await only.CallAsync("no-more");
        await only.CallAsync("exit");
        await Until.AsyncTrue(
            async () =>
            {
                using var failed = await new RawMcp(shared.Node, id).PostAsync(Initialize);
                return (await shared.Node.StateAsync(id, "running", "degraded", "failed")).State != "running";
            },
            "the instance is no longer called running");
    }

    [Theory]
    [InlineData("instance", true)]
    [InlineData("session", true)]
    [InlineData("instance", false)]
    public async Task A_server_that_takes_one_call_at_a_time_loses_no_update(string share, bool isMarked)
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture(share) with { CallsAtOnce = isMarked ? 1 : null });
        var callers = Enumerable.Range(0, 4).Select(_ => new RawMcp(shared.Node, id)).ToArray();
        await Task.WhenAll(callers.Select(c => c.InitializeAsync()));

        var sums = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => callers[i % 4].CallAsync("add", id: $"{i + 10}")));

        if (isMarked)
        {
            sums.Select(s => int.Parse(s, CultureInfo.InvariantCulture)).Order().ShouldBe(Enumerable.Range(1, 40));
        }
        else
        {
            sums.Distinct().Count().ShouldBeLessThan(40, "The server does lose updates, or this would show nothing.");
        }
    }

    [Fact]
    public async Task Whoever_waits_for_its_turn_leaves_by_cancelling_and_is_never_sent()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture() with { CallsAtOnce = 1 });
        var raw = new RawMcp(shared.Node, id);
        await raw.InitializeAsync();
        var hanging = raw.PostAsync(RawMcp.CallBody("hang", id: "2"));
        // A list takes no turn, and comes after the call on the same connection to the child.
        await Until.AsyncTrue(async () => (await raw.PostAsync("""{"jsonrpc":"2.0","id":3,"method":"tools/list"}""")).IsSuccessStatusCode,
            "a list is answered");
        var waiting = raw.CallAsync("add", id: "4");
        await Until.AsyncTrue(async () => await CancelAsync(raw, "4") && waiting.IsCompleted, "the waiting call has ended");
        (await waiting).ShouldContain("\"weir\":\"cancelled\"");

        // The call that hangs ends by its cancellation, and the next has its turn.
        await CancelAsync(raw, "2");
        (await raw.CallAsync("add", id: "5")).ShouldBe("1", "The cancelled one was never carried out.");
        hanging.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public void A_call_that_was_over_before_it_had_its_turn_keeps_nobody_waiting()
    {
        var turns = new CallQueue(1, new ByteBudget(1 << 20));
        var over = Call();
        over.Finish([]);
        turns.Enter(over, [1], Taken, Unexpected).ShouldBe(CallQueueResult.Waits);
        turns.Enter(Call(), [1], Taken, Unexpected).ShouldBe(CallQueueResult.Sent);
    }

    [Fact]
    public void A_call_is_sent_or_was_cancelled_and_never_both()
    {
        var (turns, sent) = (new CallQueue(1, new ByteBudget(1 << 20)), new List<byte>());
        var (first, second, third) = (Call(), Call(), Call());
        Enter(first, 1).ShouldBe(CallQueueResult.Sent);
        Enter(second, 2).ShouldBe(CallQueueResult.Waits);
        Enter(third, 3).ShouldBe(CallQueueResult.Waits);
        turns.Leave(second).ShouldBeTrue("It was never sent.");
        turns.Leave(first).ShouldBeFalse();
        sent.ShouldBe([1, 3]);
        turns.Leave(third).ShouldBeFalse("It was sent, so its cancellation is the server's affair.");

        CallQueueResult Enter(BridgedCall call, byte number) =>
            turns.Enter(call, [number], m => { sent.Add(m[0]); return true; }, Unexpected);
    }

    [Fact]
    public async Task A_call_that_its_child_does_not_take_is_refused_and_the_next_has_its_turn()
    {
        var (turns, refused, sent) = (new CallQueue(1, new ByteBudget(1 << 20)), new TaskCompletionSource<BridgedCall>(), 0);
        var (first, second) = (Call(), Call());
        turns.Enter(first, [1], Taken, Unexpected).ShouldBe(CallQueueResult.Sent);
        turns.Enter(second, [1], _ => false, refused.SetResult).ShouldBe(CallQueueResult.Waits);
        turns.Enter(Call(), [1], _ => ++sent > 0, Unexpected).ShouldBe(CallQueueResult.Waits);
        turns.Leave(first);
        (await refused.Task.WaitAsync(TimeSpan.FromMinutes(1), Token)).ShouldBeSameAs(second);
        sent.ShouldBe(1);
        turns.Enter(Call(), new byte[1 << 20], Taken, Unexpected).ShouldBe(CallQueueResult.Refused, "More than may wait.");
    }

    [Fact]
    public async Task A_call_that_waits_is_not_carried_out_when_who_asked_goes_away_and_one_that_runs_gives_up_its_turn()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture() with { CallsAtOnce = 1 });
        var raw = new RawMcp(shared.Node, id);
        await raw.InitializeAsync();
        using var running = CancellationTokenSource.CreateLinkedTokenSource(Token);
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var hanging = PostAsync(raw, RawMcp.CallBody("hang", id: "2"), running.Token);
        await Until.AsyncTrue(async () => !await IsFreeAsync(raw, "2"), "the call hangs");
        var added = PostAsync(raw, RawMcp.CallBody("add", id: "3"), waiting.Token);
        await Until.AsyncTrue(async () => !await IsFreeAsync(raw, "3"), "the other waits");
        await waiting.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(added);
        await Until.AsyncTrue(() => IsFreeAsync(raw, "3"), "the id of the call that waited is free");
        await running.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(hanging);
        (await raw.CallAsync("add", id: "5")).ShouldBe(
            "1", "The call that waited was never carried out, and the one that hangs keeps its turn for 5 s at most.");
    }

    [Fact]
    public async Task An_instance_that_is_stopped_starts_nobody_who_waited_for_a_place()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture("session", args: ["stubborn"]) with { MaxSessions = 1 });
        var first = new RawMcp(shared.Node, id);
        await first.InitializeAsync();
        using var delete = new HttpRequestMessage(HttpMethod.Delete, shared.Node.Mcp(id));
        delete.Headers.Add("Mcp-Session-Id", first.Session);
        await shared.Node.Http.SendAsync(delete, Token);
        var opening = new RawMcp(shared.Node, id).PostAsync(Initialize);
        (await shared.Node.PutAsync(id, NodeHost.Fixture("session", generation: 2) with { Desired = "stopped" })).EnsureSuccessStatusCode();
        await shared.Node.StateAsync(id, "stopped");
        using var refused = await opening;
        refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
    }

    [Fact]
    public async Task Calls_that_meet_the_end_of_their_child_leave_the_turn_to_others()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture("session") with { CallsAtOnce = 1 });
        for (var i = 0; i < 10; i++)
        {
            var leaving = new RawMcp(shared.Node, id);
            await leaving.InitializeAsync();
            using var delete = new HttpRequestMessage(HttpMethod.Delete, shared.Node.Mcp(id));
            delete.Headers.Add("Mcp-Session-Id", leaving.Session);
            await Task.WhenAll(shared.Node.Http.SendAsync(delete, Token), leaving.PostAsync(RawMcp.CallBody("add")));
        }

        var staying = new RawMcp(shared.Node, id);
        await staying.InitializeAsync();
        (await staying.CallAsync("echo", """{"message":"my turn"}""")).ShouldBe("my turn");
    }

    [Fact]
    public async Task A_child_that_ends_frees_the_turns_of_its_calls()
    {
        var id = await shared.Node.DeployAsync(NodeHost.Fixture("session") with { CallsAtOnce = 1 });
        var (one, two) = (new RawMcp(shared.Node, id), new RawMcp(shared.Node, id));
        await Task.WhenAll(one.InitializeAsync(), two.InitializeAsync());
        var ended = one.CallAsync("exit");
        (await two.CallAsync("add")).ShouldBe("1");
        (await ended).ShouldContain("upstream_closed");
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(1025, null)]
    [InlineData(null, 0)]
    [InlineData(null, 1025)]
    public async Task Numbers_outside_of_their_bounds_are_refused(int? sessions, int? calls)
    {
        using var answer =
            await shared.Node.PutAsync(Guid.NewGuidForTests(), NodeHost.Fixture() with { MaxSessions = sessions, CallsAtOnce = calls });
        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        var error = (await answer.Content.ReadFromJsonAsync(NodeJson.Default.NodeErrorBody, Token))!.Error;
        error.Code.ShouldBe(NodeErrors.InvalidArgument);
        error.Message.ShouldContain("must be from 1 to 1024");
    }

    private static BridgedCall Call() => new("1"u8.ToArray(), clientToken: null, startedAt: 0, new ByteBudget(1 << 20));

    private static bool Taken(byte[] message) => true;

    private static void Unexpected(BridgedCall call) => throw new InvalidOperationException("Nobody is refused here.");

    private static Task<HttpResponseMessage> PostAsync(RawMcp raw, string body, CancellationToken until) =>
        raw.PostUntilAsync(body, until);

    /// <summary>An id that is in flight is refused; a list takes no turn.</summary>
    private static async Task<bool> IsFreeAsync(RawMcp raw, string id)
    {
        using var answer = await raw.PostAsync($$"""{"jsonrpc":"2.0","id":{{id}},"method":"tools/list"}""");
        return answer.IsSuccessStatusCode;
    }

    private static async Task<int> AcceptedAsync(NodeHost node, int? maxSessions)
    {
        var id = await node.DeployAsync(NodeHost.Fixture("session") with { MaxSessions = maxSessions });
        var accepted = 0;
        for (var i = 0; i < 3; i++)
        {
            using var answer = await new RawMcp(node, id).PostAsync(Initialize);
            accepted += answer.IsSuccessStatusCode ? 1 : 0;
        }

        return accepted;
    }

    private static async Task<bool> CancelAsync(RawMcp raw, string id)
    {
        using var answer =
            await raw.PostAsync($$$"""{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{{{id}}} } }""");
        return answer.IsSuccessStatusCode;
    }

    private static async Task<string> LogAsync(NodeHost node, Guid id) =>
        string.Join(
            '\n', (await node.Http.GetFromJsonAsync($"v1/servers/{id}/logs", NodeJson.Default.LogLines, Token))!.Lines.Select(l => l.Text));
}
