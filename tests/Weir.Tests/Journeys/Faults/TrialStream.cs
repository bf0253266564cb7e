using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>How one stream of changes ended.</summary>
/// <param name="IsTold">In order, and with the word to come again.</param>
internal sealed record StreamEnd(DateTimeOffset At, bool IsTold);

/// <summary>A client that listens for changes, and listens again whenever its stream ends.</summary>
internal sealed class TrialStream : IAsyncDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly TrialReplica _opener;
    private readonly TrialReplica _replica;
    private readonly string _key;
    private readonly bool _isModern;
    private readonly HttpClient _http;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<StreamEnd> _ends = [];
    private readonly Task _work;
    private bool _isOpen;

    /// <param name="opener">The replica that a legacy session is opened at: another than the one that is listened at has its stream passed
    /// on.</param>
    public TrialStream(TrialReplica opener, TrialReplica replica, string key, bool isModern)
    {
        (_opener, _replica, _key, _isModern) = (opener, replica, key, isModern);
        _http = replica.Client(key);
        _http.Timeout = Timeout.InfiniteTimeSpan;
        _work = Task.Run(ListenAsync);
    }

    public bool IsOpen => Volatile.Read(ref _isOpen);

    /// <summary>Whether it ends with this replica: that holds it, or passes it on.</summary>
    public bool NeedsIt(TrialReplica replica) => replica == _replica || replica == _opener;

    public IReadOnlyList<StreamEnd> Ends
    {
        get
        {
            lock (_ends)
            {
                return [.. _ends];
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _stop.Dispose();
    }

    private async Task ListenAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var told = false;
            try
            {
                using var request = await RequestAsync();
                using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, _stop.Token);
                if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
                {
                    using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(_stop.Token));
                    for (string? line, last = ""; (line = await reader.ReadLineAsync(_stop.Token)) is not null;)
                    {
                        Volatile.Write(ref _isOpen, true);
                        last = line.Length > 0 ? line : last;
                        told =
                            _isModern ? last.Contains("\"resultType\":\"complete\"", StringComparison.Ordinal)
                                : last.StartsWith("retry:", StringComparison.Ordinal);
                    }
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException or ShouldAssertException)
            {
                told = false;
            }

            End(told);
            await Task.Delay(Pause, TimeProvider.System, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void End(bool told)
    {
        if (IsOpen && !_stop.IsCancellationRequested)
        {
            lock (_ends)
            {
                _ends.Add(new StreamEnd(TimeProvider.System.GetUtcNow(), told));
            }
        }

        Volatile.Write(ref _isOpen, false);
    }

    private async Task<HttpRequestMessage> RequestAsync()
    {
        var request = new HttpRequestMessage(_isModern ? HttpMethod.Post : HttpMethod.Get, "/mcp");
        request.Headers.TryAddWithoutValidation("Accept", _isModern ? "application/json, text/event-stream" : "text/event-stream");
        if (_isModern)
        {
            request.Content = new StringContent(
                """{"jsonrpc":"2.0","id":1,"method":"subscriptions/"""
                    + """listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/"""
                    + """protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"trial","version":"1"},"io."""
                    + """modelcontextprotocol/clientCapabilities":{}}}}""",
                System.Text.Encoding.UTF8, "application/json");
        }

        foreach (var (name, value) in _isModern ? RawClient.ModernHeaders("subscriptions/listen", null) : [await SessionAsync()])
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    /// <summary>A new one each time: whoever held the last may be gone.</summary>
    private async Task<(string Name, string Value)> SessionAsync()
    {
        using var http = _opener.Client(_key);
        return await new RawClient(http).InitializeAsync();
    }
}
