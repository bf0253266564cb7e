using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Weir.Errors;

namespace Weir.Gateway;

/// <summary>
/// Tells open streams that a list changed. The database's hint says which organization; whether this agent's list really
/// differs is looked up before anybody is told.
/// </summary>
internal sealed class ListChanges(IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>Each open stream costs a look at the database for every change; a client needs one.</summary>
    private const int MaxPerPrincipal = 16;

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);
    private static readonly byte[] Comment = ": keep-alive\n\n"u8.ToArray();
    private static readonly byte[] Changed = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"u8.ToArray();

    private readonly ConcurrentDictionary<Guid, Listener> _listeners = new();

    /// <summary>A hint: something of this organization changed; null: anything may have.</summary>
    public void Announce(Guid? organizationId)
    {
        foreach (var listener in _listeners.Values.Where(l => organizationId is null || l.OrganizationId is null || l.OrganizationId == organizationId))
        {
            listener.Hinted.TrySetResult();
        }
    }

    /// <summary>Streams until the client goes away or its key is no longer good.</summary>
    /// <exception cref="WeirException">WR002: the principal is not good; WR008: it has too many streams. Nothing was sent yet.</exception>
    public async Task StreamAsync(HttpContext http, string principal, Func<CancellationToken, Task<AgentCatalog>> load)
    {
        if (_listeners.Values.Count(l => l.Principal == principal) >= MaxPerPrincipal)
        {
            throw new WeirException(ErrorCode.RateLimited, $"This principal has {MaxPerPrincipal} streams open already.", "Close one first.");
        }

        // A stream would hold up the stop of the whole replica: it ends first, and its client reconnects to another.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        var ct = ending.Token;
        var id = Guid.CreateVersion7(time.GetUtcNow());
        var listener = new Listener(principal);
        _listeners[id] = listener;
        try
        {
            // Heard first, looked at second: a change in between is not missed.
            var catalog = await load(ct);
            listener.OrganizationId = catalog.OrganizationId;
            EventStream.Begin(http.Response);
            await http.Response.Body.WriteAsync(Comment, ct);
            await http.Response.Body.FlushAsync(ct);
            var shown = Print(catalog);
            while (true)
            {
                var hinted = await WaitAsync(listener, ct);
                var now = hinted ? Print(await load(ct)) : shown;
                await http.Response.Body.WriteAsync(string.Equals(now, shown, StringComparison.Ordinal) ? Comment : Changed, ct);
                await http.Response.Body.FlushAsync(ct);
                shown = now;
            }
        }
        catch (OperationCanceledException)
        {
            // The client went away, which is how every stream ends.
        }
        catch (WeirException) when (http.Response.HasStarted)
        {
            // The key is revoked, or the database is away: the client reconnects and is told.
        }
        finally
        {
            _listeners.TryRemove(id, out _);
        }
    }

    /// <summary>True when something was hinted, false when only the time for a sign of life came.</summary>
    private async Task<bool> WaitAsync(Listener listener, CancellationToken ct)
    {
        try
        {
            await listener.Hinted.Task.WaitAsync(KeepAlive, time, ct);
            listener.Hinted = NewSignal();
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static string Print(AgentCatalog catalog)
    {
        var print = new StringBuilder();
        foreach (var item in catalog.Items)
        {
            print.Append(item.ExposedName).Append(' ').Append(Convert.ToHexString(item.Hash)).Append('\n');
        }

        return print.ToString();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Listener(string principal)
    {
        public string Principal { get; } = principal;

        /// <summary>Null until it is known; then every hint is heard.</summary>
        public Guid? OrganizationId { get; set; }

        public TaskCompletionSource Hinted { get; set; } = NewSignal();
    }
}
