namespace Weir.Tests.Infrastructure;

/// <summary>A legacy session's GET stream, read as it comes until it is disposed.</summary>
internal sealed class ListChangeStream : IDisposable
{
    private readonly HttpResponseMessage _response;
    private int _signs;
    private int _changes;
    private bool _hasEnded;

    private ListChangeStream(HttpResponseMessage response)
    {
        _response = response;
        _ = ReadAsync();
    }

    /// <summary>Everything that came: what keeps it alive, what says that it looked, and the changes.</summary>
    public int Signs => Volatile.Read(ref _signs);

    public int Changes => Volatile.Read(ref _changes);

    /// <summary>Weir has ended it.</summary>
    public bool HasEnded => Volatile.Read(ref _hasEnded);

    /// <summary>Returns when the stream is heard: no later change is missed.</summary>
    public static async Task<ListChangeStream> OpenAsync(HttpClient http, string path = "/mcp")
    {
        var session = await new RawClient(http, path).InitializeAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        request.Headers.TryAddWithoutValidation(session.Name, session.Value);
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
        return new ListChangeStream(response);
    }

    public void Dispose() => _response.Dispose();

    private async Task ReadAsync()
    {
        using var reader = new StreamReader(await _response.Content.ReadAsStreamAsync());
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                if (line.Contains("\"notifications/tools/list_changed\"", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref _changes);
                }

                if (line.StartsWith(':') || line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref _signs);
                }
            }

            Volatile.Write(ref _hasEnded, true);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or HttpRequestException)
        {
            // Disposed.
        }
    }
}
